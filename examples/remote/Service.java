import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.math.BigDecimal;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;

/**
 * A bank's own service, which Railhead's connector ams/remote speaks to: the whole of
 * plugins/ams/remote/openapi.yaml. It holds its accounts in memory and is here to be
 * read; a bank's keeps them, and the answers by idempotency key, in one database
 * transaction. The class Service is what a bank adds; the class Bank is what it has already.
 *
 * <p>Run it with {@code java examples/remote/Service.java}, from JDK 17 on.
 */
public final class Service {
    private static final int BODY_MAX = 64 << 10;

    private final Bank bank = new Bank();
    private final String token;
    // What was answered to each idempotency key, and in which order. Guarded by this.
    private final Map<String, Operation> operations = new LinkedHashMap<>();
    // For tests of doubt: answers that are lost after the deed is done.
    private int loseAnswers;

    private record Operation(String request, String payment, String purpose, Answer answer) {
        Map<String, Object> json() {
            return Json.object("state", answer.status < 300 ? "done" : "refused", "answer", answer.body);
        }
    }

    private record Answer(int status, Map<String, Object> body) {}

    private Service(String token) {
        this.token = token;
    }

    public static void main(String[] args) throws IOException {
        String token = System.getenv().getOrDefault("SERVICE_TOKEN", "");
        if (token.isEmpty()) {
            System.err.println("SERVICE_TOKEN is not set: the token that the hub must show");
            System.exit(2);
        }
        int port = args.length > 0 ? Integer.parseInt(args[0]) : 8403;
        Service service = new Service(token);
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.createContext("/", service::handle);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
        System.out.println("listening on http://127.0.0.1:" + server.getAddress().getPort());
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            Answer answer;
            try {
                answer = answer(exchange);
            } catch (Bank.Refusal no) {
                answer = refused(no);
            } catch (Json.Malformed no) {
                answer = error(400, "BAD_REQUEST", no.getMessage());
            } catch (RuntimeException mistake) {
                mistake.printStackTrace();
                answer = error(500, "INTERNAL", "the service made a mistake");
            }
            if (answer == null) {
                return; // lost on purpose: the connection closes without an answer
            }
            byte[] body = Json.write(answer.body).getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(answer.status, body.length);
            exchange.getResponseBody().write(body);
        }
    }

    private Answer answer(HttpExchange exchange) throws IOException {
        if (!("Bearer " + token).equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
            return error(401, "UNAUTHORIZED", "the token is not the service's");
        }
        byte[] bytes = exchange.getRequestBody().readNBytes(BODY_MAX + 1);
        if (bytes.length > BODY_MAX) {
            return error(413, "BAD_REQUEST", "the body is too large");
        }
        URI uri = exchange.getRequestURI();
        List<String> path = new ArrayList<>();
        for (String segment : uri.getRawPath().substring(1).split("/")) {
            path.add(decode(segment));
        }
        String text = new String(bytes, StandardCharsets.UTF_8);
        boolean get = exchange.getRequestMethod().equals("GET");
        String route = exchange.getRequestMethod() + " " + path.get(0) + " " + path.size();
        switch (route) {
            case "GET parties 3":
                return new Answer(200, bank.party(path.get(1), path.get(2)));
            case "GET accounts 2":
                return new Answer(200, bank.state(path.get(1)));
            case "POST quotes 1":
                return new Answer(200, bank.quote(Json.read(text)));
            case "GET operations 2":
                return operation(path.get(1));
            case "GET operations 1":
                return operations(query(uri));
            case "POST lose-answers 2": // of this example only
                loseAnswers = Integer.parseInt(path.get(1));
                return new Answer(200, Json.object());
            default:
                break;
        }
        String verb = switch (route) {
            case "POST holds 1" -> "hold";
            case "POST holds 3" -> path.get(2);
            case "POST deposits 1" -> "credit";
            case "POST transfers 1" -> "internal-transfer";
            default -> null;
        };
        if (get || verb == null) {
            return error(404, "UNKNOWN_PATH", "there is nothing here");
        }
        String key = exchange.getRequestHeaders().getFirst("Idempotency-Key");
        if (key == null || key.isEmpty()) {
            return error(400, "KEY_REQUIRED", "what moves money bears an Idempotency-Key");
        }
        return once(key, uri + "\n" + text, verb, path, Json.read(text));
    }

    /**
     * Does a deed once for each key. The answer is stored together with the deed, here
     * under one lock, in a bank in one transaction: otherwise a crash between the two
     * would move money twice.
     */
    private synchronized Answer once(
            String key, String request, String verb, List<String> path, Map<String, Object> body) {
        Operation known = operations.get(key);
        if (known != null) {
            return known.request.equals(request) ? known.answer : error(409, "KEY_REUSED", "the key has another request");
        }
        String payment = Json.text(body, "payment");
        String purpose = Json.text(body, "purpose");
        if (payment.isEmpty() || !purpose.equals(verb)) {
            throw new Json.Malformed("payment is missing, or purpose is not " + verb);
        }
        Answer answer;
        try {
            Map<String, Object> done = bank.perform(verb, path.size() > 1 ? path.get(1) : "", body);
            done.put("payment", payment);
            done.put("purpose", purpose);
            answer = new Answer(201, done);
        } catch (Bank.Refusal no) {
            answer = refused(no);
        }
        operations.put(key, new Operation(request, payment, purpose, answer));
        if (loseAnswers > 0) {
            loseAnswers--;
            return null;
        }
        return answer;
    }

    private synchronized Answer operation(String key) {
        Operation known = operations.get(key);
        if (known == null) {
            return error(404, "OPERATION_NOT_FOUND", "the key has never been seen");
        }
        return new Answer(200, known.json());
    }

    private synchronized Answer operations(Map<String, String> query) {
        List<Object> found = new ArrayList<>();
        for (Operation o : operations.values()) {
            if (o.payment.equals(query.get("payment")) && o.purpose.equals(query.get("purpose"))) {
                found.add(o.json());
            }
        }
        return new Answer(200, Json.object("operations", found));
    }

    private static Answer refused(Bank.Refusal no) {
        return error(no.status, no.code, no.getMessage());
    }

    private static Answer error(int status, String code, String message) {
        return new Answer(status, Json.object("code", code, "message", message));
    }

    private static Map<String, String> query(URI uri) {
        Map<String, String> out = new LinkedHashMap<>();
        for (String pair : String.valueOf(uri.getRawQuery()).split("&")) {
            int at = pair.indexOf('=');
            if (at > 0) {
                out.put(decode(pair.substring(0, at)), decode(pair.substring(at + 1)));
            }
        }
        return out;
    }

    private static String decode(String text) {
        return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
    }
}

/** What the bank has already: accounts, holds, and a fee. */
final class Bank {
    /** A no of the bank: nothing was done. */
    static final class Refusal extends RuntimeException {
        final int status;
        final String code;

        Refusal(int status, String code, String message) {
            super(message);
            this.status = status;
            this.code = code;
        }
    }

    static final class Account {
        final String id;
        final String name;
        final String currency;
        String state = "open";
        BigDecimal balance;
        BigDecimal held = BigDecimal.ZERO;

        Account(String id, String name, String currency, String balance) {
            this.id = id;
            this.name = name;
            this.currency = currency;
            this.balance = new BigDecimal(balance);
        }

        Map<String, Object> json() {
            return Json.object("account", id, "name", name, "state", state,
                    "balance", balance.toPlainString(), "available", balance.subtract(held).toPlainString());
        }
    }

    private static final class Hold {
        final Account account;
        final BigDecimal amount;
        final BigDecimal fee;
        boolean open = true;

        Hold(Account account, BigDecimal amount, BigDecimal fee) {
            this.account = account;
            this.amount = amount;
            this.fee = fee;
        }
    }

    private static final BigDecimal FEE = new BigDecimal("0.10");

    private final Map<String, Account> accounts = new LinkedHashMap<>();
    private final Map<String, String> parties = new LinkedHashMap<>();
    private final Map<String, Hold> holds = new LinkedHashMap<>();
    private int last;

    Bank() {
        open("A-1", "Juma Otieno", "27710101999", "1000.00");
        open("B-2", "Asha Mwangi", "27710203999", "0.00");
    }

    private void open(String id, String name, String phone, String balance) {
        accounts.put(id, new Account(id, name, "USD", balance));
        parties.put("MSISDN:" + phone, id);
    }

    synchronized Map<String, Object> party(String type, String id) {
        String account = parties.get(type + ":" + id);
        if (account == null) {
            throw new Refusal(404, "PARTY_NOT_FOUND", "nobody is known by that identifier");
        }
        return Json.object("account", account, "name", accounts.get(account).name);
    }

    synchronized Map<String, Object> state(String id) {
        return account(id).json();
    }

    private Account account(String id) {
        Account account = accounts.get(id);
        if (account == null) {
            throw new Refusal(404, "ACCOUNT_NOT_FOUND", "there is no such account");
        }
        return account;
    }

    synchronized Map<String, Object> quote(Map<String, Object> body) {
        Account account = named(body, "account");
        BigDecimal amount = amount(body, account);
        BigDecimal fee = Json.text(body, "direction").equals("outgoing") ? FEE : BigDecimal.ZERO;
        return Json.object("account", account.id, "amount", amount.toPlainString(), "fee", fee.toPlainString(),
                "currency", account.currency);
    }

    /** Does a deed, all of it or nothing, and tells what was done. */
    synchronized Map<String, Object> perform(String verb, String id, Map<String, Object> body) {
        switch (verb) {
            case "hold": {
                Account account = named(body, "account");
                Hold hold = new Hold(account, amount(body, account), fee(body));
                spend(account, hold.amount.add(hold.fee));
                account.held = account.held.add(hold.amount).add(hold.fee);
                String name = "hold-" + ++last;
                holds.put(name, hold);
                return done(name, account, hold.amount);
            }
            case "book", "release": {
                Hold hold = holds.get(id);
                if (hold == null) {
                    throw new Refusal(404, "HOLD_NOT_FOUND", "there is no such hold");
                }
                if (!hold.open) {
                    throw new Refusal(409, "HOLD_NOT_OPEN", "the hold is booked or released");
                }
                if (amount(body, hold.account).compareTo(hold.amount) != 0) {
                    throw new Refusal(422, "AMOUNT_MISMATCH", "the hold is for another amount");
                }
                hold.open = false;
                BigDecimal all = hold.amount.add(hold.fee);
                hold.account.held = hold.account.held.subtract(all);
                if (verb.equals("book")) {
                    hold.account.balance = hold.account.balance.subtract(all);
                }
                return done(verb + "-" + ++last, hold.account, hold.amount);
            }
            case "credit": {
                Account account = named(body, "account");
                BigDecimal amount = amount(body, account);
                usable(account);
                account.balance = account.balance.add(amount).subtract(fee(body));
                return done("credit-" + ++last, account, amount);
            }
            case "internal-transfer": {
                Account payer = named(body, "account");
                Account payee = named(body, "payee");
                BigDecimal amount = amount(body, payer);
                usable(payee);
                spend(payer, amount.add(fee(body)));
                payer.balance = payer.balance.subtract(amount).subtract(fee(body));
                payee.balance = payee.balance.add(amount);
                return done("transfer-" + ++last, payer, amount);
            }
            default:
                throw new Refusal(404, "UNKNOWN_PATH", "there is nothing here");
        }
    }

    private static Map<String, Object> done(String id, Account account, BigDecimal amount) {
        return Json.object("id", id, "account", account.id, "amount", amount.toPlainString(), "currency", account.currency);
    }

    private static void usable(Account account) {
        if (!account.state.equals("open")) {
            throw new Refusal(422, "ACCOUNT_CLOSED", "the account is " + account.state);
        }
    }

    private static void spend(Account account, BigDecimal all) {
        usable(account);
        if (account.balance.subtract(account.held).compareTo(all) < 0) {
            throw new Refusal(422, "INSUFFICIENT_FUNDS", "the account has too little");
        }
    }

    /** The account that a member names, by id or by an identifier of its holder. */
    private Account named(Map<String, Object> body, String member) {
        Map<String, Object> name = Json.member(body, member);
        String id = Json.text(name, "id");
        return account(id.isEmpty() ? (String) party(Json.text(name, "type"), Json.text(name, "value")).get("account") : id);
    }

    private static BigDecimal amount(Map<String, Object> body, Account account) {
        BigDecimal amount = decimal(Json.text(body, "amount"));
        if (amount.signum() == 0) {
            throw new Refusal(422, "INVALID_AMOUNT", "an amount is more than nothing");
        }
        if (!Json.text(body, "currency").equals(account.currency)) {
            throw new Refusal(422, "CURRENCY_MISMATCH", "the account is in " + account.currency);
        }
        return amount;
    }

    private static BigDecimal fee(Map<String, Object> body) {
        String fee = Json.text(body, "fee");
        return fee.isEmpty() ? BigDecimal.ZERO : decimal(fee);
    }

    private static BigDecimal decimal(String text) {
        if (!text.matches("[0-9]{1,18}(\\.[0-9]{1,2})?")) {
            throw new Refusal(422, "INVALID_AMOUNT", "an amount is a decimal of at most two places, in a string");
        }
        return new BigDecimal(text);
    }
}

/** As much JSON as the contract has: objects, arrays and strings. A bank uses its own library. */
final class Json {
    static final class Malformed extends RuntimeException {
        Malformed(String message) {
            super(message);
        }
    }

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    static Map<String, Object> object(Object... namesAndValues) {
        Map<String, Object> out = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            out.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return out;
    }

    static String text(Map<String, Object> object, String name) {
        return object.get(name) instanceof String s ? s : "";
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> member(Map<String, Object> object, String name) {
        return object.get(name) instanceof Map<?, ?> m ? (Map<String, Object>) m : Map.of();
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> read(String text) {
        Json in = new Json(text);
        Object value = in.value(0);
        in.blanks();
        if (in.at != text.length() || !(value instanceof Map)) {
            throw new Malformed("the body is no JSON object");
        }
        return (Map<String, Object>) value;
    }

    private Object value(int depth) {
        blanks();
        if (depth > 16 || at == text.length()) {
            throw new Malformed("the body ends early, or is too deep");
        }
        switch (text.charAt(at)) {
            case '{': {
                Map<String, Object> out = new LinkedHashMap<>();
                for (boolean more = !empty('}'); more; more = more('}')) {
                    blanks();
                    String name = string();
                    blanks();
                    take(':');
                    out.put(name, value(depth + 1));
                }
                return out;
            }
            case '[': {
                List<Object> out = new ArrayList<>();
                for (boolean more = !empty(']'); more; more = more(']')) {
                    out.add(value(depth + 1));
                }
                return out;
            }
            case '"':
                return string();
            default: { // numbers, true, false and null: kept as no string, so that money is none of them
                int from = at;
                while (at < text.length() && "+-.0123456789eEtrufalsn".indexOf(text.charAt(at)) >= 0) {
                    at++;
                }
                if (at == from) {
                    throw new Malformed("the body is not JSON at " + at);
                }
                return new StringBuilder(text.substring(from, at));
            }
        }
    }

    private boolean empty(char closing) {
        at++;
        blanks();
        if (at < text.length() && text.charAt(at) == closing) {
            at++;
            return true;
        }
        return false;
    }

    private boolean more(char closing) {
        blanks();
        if (at < text.length() && text.charAt(at) == ',') {
            at++;
            return true;
        }
        take(closing);
        return false;
    }

    private void take(char want) {
        if (at == text.length() || text.charAt(at) != want) {
            throw new Malformed("the body is not JSON at " + at);
        }
        at++;
    }

    private void blanks() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private String string() {
        take('"');
        StringBuilder out = new StringBuilder();
        while (at < text.length() && text.charAt(at) != '"') {
            char c = text.charAt(at++);
            if (c == '\\' && at < text.length()) {
                c = text.charAt(at++);
                int escape = "bfnrt".indexOf(c);
                if (escape >= 0) {
                    c = "\b\f\n\r\t".charAt(escape);
                } else if (c == 'u') {
                    try {
                        c = (char) Integer.parseInt(text, at, at + 4, 16);
                    } catch (NumberFormatException | IndexOutOfBoundsException no) {
                        throw new Malformed("the body is not JSON at " + at);
                    }
                    at += 4;
                }
            }
            out.append(c);
        }
        take('"');
        return out.toString();
    }

    static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(out, value);
        return out.toString();
    }

    private static void write(StringBuilder out, Object value) {
        if (value instanceof Map<?, ?> map) {
            String separator = "{";
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                out.append(separator);
                write(out, entry.getKey());
                out.append(':');
                write(out, entry.getValue());
                separator = ",";
            }
            out.append(map.isEmpty() ? "{}" : "}");
        } else if (value instanceof List<?> list) {
            out.append('[');
            for (int i = 0; i < list.size(); i++) {
                out.append(i == 0 ? "" : ",");
                write(out, list.get(i));
            }
            out.append(']');
        } else {
            out.append('"');
            for (char c : value.toString().toCharArray()) {
                if (c == '"' || c == '\\') {
                    out.append('\\').append(c);
                } else if (c < ' ') {
                    out.append(String.format("\\u%04x", (int) c));
                } else {
                    out.append(c);
                }
            }
            out.append('"');
        }
    }
}
