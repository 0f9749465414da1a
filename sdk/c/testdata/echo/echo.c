/* The echo of sdk/parity, which says what it must do. */

#include "railhead.h"

static int digit(char b) { return b <= '9' ? b - '0' : b - 'a' + 10; }

static rh_text unhex(rh_context *c, rh_text text) {
    char *out = rh_room(c, text.length / 2);
    for (size_t i = 0; i < text.length / 2; i++) out[i] = (char)(digit(text.at[2 * i]) << 4 | digit(text.at[2 * i + 1]));
    return (rh_text){out, text.length / 2};
}

static rh_text hex(rh_context *c, rh_text bytes) {
    char *out = rh_room(c, bytes.length * 2);
    for (size_t i = 0; i < bytes.length; i++) {
        out[2 * i] = "0123456789abcdef"[(uint8_t)bytes.at[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes.at[i] & 15];
    }
    return (rh_text){out, bytes.length * 2};
}

static rh_text truth(bool b) { return b ? RH("true") : RH("false"); }

static rh_text unsigned_decimal(rh_context *c, uint64_t n) {
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    return rh_concat(c, (rh_text){digits + at, sizeof digits - at});
}

/* The members of an ask. */
typedef struct {
    rh_context *c;
    rh_json json;
} asked;

static rh_text text(asked a, const char *name) { return rh_text_of(a.c, rh_get(a.json, name)); }
static rh_text bytes(asked a, const char *name) { return unhex(a.c, text(a, name)); }

static int64_t number(asked a, const char *name) {
    int64_t n;
    rh_int_of(a.c, rh_get(a.json, name), &n);
    return n;
}

static rh_terms terms(asked a) {
    if (!rh_exists(rh_get(a.json, "amount"))) return (rh_terms){0};
    return (rh_terms){text(a, "amount"), text(a, "currency"), text(a, "debtor"), text(a, "creditor")};
}

/* Set in the opposite order, and each of them twice. */
static rh_vars *variables(asked a) {
    rh_vars *vars = rh_object(a.c);
    struct {
        const char *name;
        rh_json value;
    } given[16];
    size_t count = 0;
    for (rh_walk w = rh_begin(rh_get(a.json, "variables")); count < 16 && rh_next(a.c, &w); count++) {
        given[count].name = rh_concat(a.c, w.name, RH("\0")).at;
        given[count].value = w.value;
    }
    while (count--) {
        rh_set_bool(vars, given[count].name, false);
        rh_set_json(vars, given[count].name, given[count].value);
    }
    return vars;
}

static void say_payment(rh_context *c, rh_list *said, const rh_payment *p) {
    rh_add(said, truth(p->found));
    rh_add(said, p->payment);
    rh_add(said, p->state);
    rh_add(said, p->result);
    rh_add(said, p->code);
    rh_add(said, rh_decimal(c, p->started_ms));
    rh_add(said, rh_decimal(c, p->ended_ms));
    rh_add(said, p->flow);
    rh_add(said, p->client_key);
    rh_add(said, truth(p->pending));
    rh_add(said, rh_payment_variable(p, "x").raw);
}

/* Asks for one effect. If it is done, said holds the answer. */
static rh_state one(asked a, rh_list *said) {
    rh_context *c = a.c;
    rh_text kind = text(a, "kind"), out;
    rh_state state;
    bool yes;
    if (rh_is(kind, "http")) {
        rh_http call = {
            .endpoint = text(a, "endpoint"), .method = text(a, "method"), .path = text(a, "path"), .body = bytes(a, "body"),
            .key = text(a, "key"), .terms = terms(a), .timeout_ms = number(a, "timeout"),
        };
        int count = 0;
        for (rh_walk w = rh_begin(rh_get(a.json, "headers")); rh_next(c, &w); count++) {
            rh_walk parts = rh_begin(w.value);
            if (rh_next(c, &parts)) call.headers[count].name = rh_text_of(c, parts.value);
            if (rh_next(c, &parts)) call.headers[count].value = rh_text_of(c, parts.value);
        }
        rh_response response;
        if ((state = rh_call(c, &call, &response)) != RH_DONE) return state;
        rh_add(said, rh_decimal(c, response.status));
        rh_add(said, rh_response_header(&response, "X-Echo"));
        rh_add(said, hex(c, response.body));
    } else if (rh_is(kind, "start-payment")) {
        rh_start start = {text(a, "flow"), text(a, "client-key"), bytes(a, "digest"), variables(a), text(a, "uuid-variable")};
        rh_started started;
        if ((state = rh_start_payment(c, &start, &started)) != RH_DONE) return state;
        rh_add(said, started.payment);
        rh_add(said, truth(started.repeated));
    } else if (rh_is(kind, "publish")) {
        rh_message message = {text(a, "name"), text(a, "key"), text(a, "id"), number(a, "ttl"), variables(a)};
        if ((state = rh_publish(c, &message, &yes)) != RH_DONE) return state;
        rh_add(said, truth(yes));
    } else if (rh_is(kind, "await-result")) {
        rh_payment payment;
        if ((state = rh_await_result(c, text(a, "payment"), number(a, "timeout"), &payment)) != RH_DONE) return state;
        say_payment(c, said, &payment);
    } else if (rh_is(kind, "query")) {
        rh_query query = {.payment = text(a, "payment"), .client_key = text(a, "client-key")};
        int count = 0;
        for (rh_walk w = rh_begin(rh_get(a.json, "names")); rh_next(c, &w); count++) {
            query.variables[count] = rh_concat(c, rh_text_of(c, w.value), RH("\0")).at;
        }
        rh_payment payment;
        if ((state = rh_query_payment(c, &query, &payment)) != RH_DONE) return state;
        say_payment(c, said, &payment);
    } else if (rh_is(kind, "sleep")) {
        return rh_sleep(c, number(a, "duration"));
    } else if (rh_is(kind, "sequence")) {
        uint64_t n;
        if ((state = rh_sequence(c, text(a, "name"), &n)) != RH_DONE) return state;
        rh_add(said, unsigned_decimal(c, n));
    } else if (rh_is(kind, "checkpoint")) {
        return rh_checkpoint(c, bytes(a, "data"));
    } else if (rh_is(kind, "emit")) {
        return rh_emit(c, text(a, "name"), variables(a));
    } else if (rh_is(kind, "round-trip")) {
        rh_round_trip call = {
            text(a, "link"), bytes(a, "data"), text(a, "match-key"), number(a, "timeout"), text(a, "key"), terms(a),
        };
        if ((state = rh_exchange(c, &call, &out)) != RH_DONE) return state;
        rh_add(said, hex(c, out));
    } else if (rh_is(kind, "send")) {
        return rh_send(c, text(a, "link"), bytes(a, "data"));
    } else if (rh_is(kind, "forward")) {
        return rh_forward(c, text(a, "link"), text(a, "key"), bytes(a, "data"), number(a, "until"));
    } else if (rh_is(kind, "verify")) {
        state = rh_verify(c, text(a, "key-ref"), text(a, "algorithm"), bytes(a, "data"), bytes(a, "signature"), &yes);
        if (state != RH_DONE) return state;
        rh_add(said, truth(yes));
    } else if (rh_is(kind, "tokenize") || rh_is(kind, "detokenize")) {
        state = rh_is(kind, "tokenize") ? rh_tokenize(c, text(a, "kind-of"), text(a, "value"), &out)
                                        : rh_detokenize(c, text(a, "token"), &out);
        if (state != RH_DONE) return state;
        rh_add(said, out);
    } else {
        rh_text key = text(a, "key-ref"), algorithm = text(a, "algorithm"), data = bytes(a, "data");
        if (rh_is(kind, "sign")) state = rh_sign(c, key, algorithm, data, &out);
        else if (rh_is(kind, "mac")) state = rh_mac(c, key, algorithm, data, &out);
        else state = rh_encrypt(c, key, algorithm, data, bytes(a, "additional"), &out);
        if (state != RH_DONE) return state;
        rh_add(said, hex(c, out));
    }
    return RH_DONE;
}

static rh_outcome echo(rh_context *c, const rh_job *job) {
    rh_list *answers = rh_array(c);
    rh_text prior;
    if (rh_prior(job, "k", &prior)) rh_settle(c, RH("k"), prior.length > 0);
    int behind = c->state.length ? c->state.at[0] : 0, place = 0;
    for (rh_walk w = rh_begin(rh_variable(job, "ask")); rh_next(c, &w);) {
        if (place++ < behind) continue;
        rh_list *said = rh_array(c);
        rh_vars *answer = rh_object(c);
        switch (one((asked){c, w.value}, said)) {
        case RH_WAITING: return rh_waiting();
        case RH_DONE: rh_set(answer, "state", RH("done")); break;
        case RH_FAILED:
            rh_set(answer, "state", RH("failed"));
            rh_add(said, c->error.code);
            rh_add(said, c->error.text);
            break;
        case RH_IN_DOUBT:
            rh_set(answer, "state", RH("doubt"));
            rh_add(said, c->error.idempotency_key);
            rh_add(said, c->error.text);
        }
        rh_set_list(answer, "text", said);
        rh_add_vars(answers, answer);
    }
    int64_t n;
    rh_list *said = rh_array(c);
    rh_add(said, job->type);
    rh_add(said, job->payment);
    rh_add(said, rh_decimal(c, job->attempt));
    rh_add(said, rh_decimal(c, job->retries));
    rh_add(said, job->element);
    rh_add(said, job->flow);
    rh_add(said, rh_decimal(c, job->payment_started_ms));
    rh_add(said, rh_task_header(job, "h"));
    rh_add(said, prior);
    rh_add(said, rh_string(c, job, "s"));
    rh_add(said, rh_int_of(c, rh_variable(job, "i"), &n) ? rh_decimal(c, n) : RH("none"));
    rh_add(said, rh_decimal(c, c->now_ms));
    rh_add(said, rh_uuid(c));
    rh_add(said, hex(c, c->state));
    rh_vars *vars = rh_object(c);
    rh_set_list(vars, "answers", answers);
    rh_set_list(vars, "job", said);
    return rh_complete(vars);
}

static rh_outcome panics(rh_context *c, const rh_job *job) {
    (void)c, (void)job;
    rh_panic("this job panics");
}

static rh_frames frame(rh_context *c, const rh_frame *frame) {
    uint64_t n;
    if (rh_sequence(c, RH("frames"), &n) == RH_WAITING) return (rh_frames){.waiting = true};
    return (rh_frames){.frames = {rh_decimal(c, frame->event), frame->data, unsigned_decimal(c, n)}, .count = 3};
}

static rh_text frame_key(rh_context *c, rh_text data) { return hex(c, data); }

const rh_connector railhead_connector = {
    .schedules = (const rh_job_handler[]){{"echo", echo}, {0}},
    .links = (const rh_link_handler[]){{"echo", frame, frame_key}, {0}},
    .jobs = (const rh_job_handler[]){{"echo", echo}, {"panics", panics}, {0}},
};
