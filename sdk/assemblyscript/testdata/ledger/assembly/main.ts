// The example connector to a core banking system, in AssemblyScript: it passes the
// vectors of sdk/template/ams, as those of the other languages do.
import { Answer, complete, Context, doubtful, fail, Http, Job, Outcome, serveJob, stringMember, Terms, Vars, waiting } from "../railhead/index";

const RETRY_AFTER_MS: i64 = 5000;

// The credentials stay in the hub: it puts them in place of the reference.
const CREDENTIALS = "Bearer {{secret:ledger_token}}";

serveJob("party-lookup-local-{tenant}", lookup);
serveJob("account-status-{tenant}", status);
serveJob("block-funds", hold);
serveJob("book-funds", book);
serveJob("release-block", release);

function lookup(c: Context, job: Job): Outcome {
  const kind = job.text("partyIdType");
  const id = job.text("partyId");
  if (kind == "" || id == "") return refused("partyLookupFailed", "INVALID_REQUEST", "no party is named");
  const read = get(c, "/parties/" + encodeURIComponent(kind) + "/" + encodeURIComponent(id));
  const end = unread(read, "partyLookupFailed");
  if (end) return end;
  const account = stringMember(read.body, "account");
  if (account == "") return unreadable();
  return complete(new Vars().bool("partyLookupFailed", false).text("externalAccountId", account)
    .text("accountName", stringMember(read.body, "name")));
}

function status(c: Context, job: Job): Outcome {
  const id = job.text("externalAccountId");
  if (id == "") return refused("accountStatusFailed", "INVALID_REQUEST", "no account is named");
  const read = get(c, "/accounts/" + encodeURIComponent(id));
  const end = unread(read, "accountStatusFailed");
  if (end) return end;
  const state = stringMember(read.body, "state");
  if (state == "") return unreadable();
  return complete(new Vars().bool("accountStatusFailed", false).text("accountStatus", state));
}

function hold(c: Context, job: Job): Outcome {
  return perform(c, job, new Deed("hold", "/holds", "transferPrepareFailed", "holdId", new Vars()
    .text("account", job.text("externalAccountId")).text("amount", job.text("amount"))
    .text("currency", job.text("currency")).text("reference", job.payment)));
}

function book(c: Context, job: Job): Outcome {
  return perform(c, job, new Deed("book", "/bookings", "transferCreateFailed", "bookingId", held(job)));
}

function release(c: Context, job: Job): Outcome {
  return perform(c, job, new Deed("release", "/releases", "transferReleaseFailed", "", held(job)));
}

function held(job: Job): Vars { return new Vars().text("hold", job.text("holdId")).text("reference", job.payment); }

// Deed is something done to money, once.
class Deed {
  constructor(
    public key: string,
    public path: string,
    public flag: string, // tells the flow whether it was refused
    public id: string, // the variable that gets what the ledger calls the deed
    public body: Vars,
  ) {}
}

// perform does the deed. There are three ways for it to end: the ledger has done it,
// the ledger has refused it, or nobody knows yet. Never mix up the last two.
function perform(c: Context, job: Job, deed: Deed): Outcome {
  const no = check(job, deed);
  if (no != "") return refused(deed.flag, "INVALID_REQUEST", no);
  const terms = new Terms();
  terms.amount = job.text("amount");
  terms.currency = job.text("currency");
  terms.debtor = job.text("externalAccountId");
  const done = c.http(new Http("ledger", "POST", deed.path)
    .header("authorization", CREDENTIALS).header("content-type", "application/json")
    .text(deed.body.toString()).money(deed.key, terms));
  if (done.waiting) return waiting();
  if (done.failed) return failed(done); // certainly not done
  if (done.inDoubt) return enquire(c, job, deed);
  const id = stringMember(done.body, "id");
  const code = stringMember(done.body, "code");
  if (done.status < 300 && id != "") return performed(deed, id);
  if (done.status == 401 || done.status == 403) return fail("CREDENTIALS", "the ledger does not take the hub's credentials");
  const busy = done.status == 408 || done.status == 425 || done.status == 429; // it had no time: that is no answer
  if (!busy && done.status >= 400 && done.status < 500 && code != "") return refused(deed.flag, code, stringMember(done.body, "message"));
  return enquire(c, job, deed); // done or not, the answer does not say
}

function check(job: Job, deed: Deed): string {
  if (job.text("externalAccountId") == "") return "no account is named";
  if (!decimal(job.text("amount")) || job.text("currency").length != 3) return "no amount with a currency is given";
  if (deed.key != "hold" && job.text("holdId") == "") return "the payment has no hold";
  return "";
}

// decimal reports whether a text is an amount: digits, perhaps a point and digits. Money
// is never a float.
function decimal(s: string): bool {
  const parts = s.split(".");
  for (let i = 0; i < parts.length; i++) {
    if (parts[i].length == 0) return false;
    for (let k = 0; k < parts[i].length; k++) {
      const c = parts[i].charCodeAt(k);
      if (c < 0x30 || c > 0x39) return false;
    }
  }
  return parts.length <= 2;
}

// enquire asks what became of a deed whose answer was lost.
function enquire(c: Context, job: Job, deed: Deed): Outcome {
  const read = get(c, "/operations/" + job.payment + "/" + deed.key);
  if (read.waiting) return waiting();
  if (read.done && read.status == 200) {
    const state = stringMember(read.body, "state");
    const id = stringMember(read.body, "id");
    const code = stringMember(read.body, "code");
    if (state == "done" && id != "") {
      c.settle(deed.key, true);
      return performed(deed, id);
    }
    if (state == "refused" && code != "") {
      c.settle(deed.key, false);
      return refused(deed.flag, code, stringMember(read.body, "message"));
    }
  }
  const silent = "the ledger does not say what became of it";
  return job.retries > 0 ? fail("IN_DOUBT", silent, RETRY_AFTER_MS) : doubtful(deed.key, silent);
}

function performed(deed: Deed, id: string): Outcome {
  const vars = new Vars().bool(deed.flag, false);
  if (deed.id != "") vars.text(deed.id, id);
  return complete(vars);
}

function get(c: Context, path: string): Answer { return c.http(new Http("ledger", "GET", path).header("authorization", CREDENTIALS)); }

// unread is how a job ends whose question was not answered, or null.
function unread(read: Answer, flag: string): Outcome | null {
  if (read.waiting) return waiting();
  if (read.failed) return failed(read);
  if (read.inDoubt || read.status >= 500) return fail("NO_ANSWER", "the ledger does not answer", RETRY_AFTER_MS);
  const code = stringMember(read.body, "code");
  if (read.status == 200) return null;
  if (read.status == 404 && code != "") return refused(flag, code, stringMember(read.body, "message"));
  return unreadable();
}

function unreadable(): Outcome { return fail("BAD_ANSWER", "the ledger's answer is not what was asked for"); }

// refused completes the job with its flag set: a refusal is a result, on which the flow
// branches.
function refused(flag: string, code: string, message: string): Outcome {
  return complete(new Vars().bool(flag, true).text("errorCode", code).text("errorInformation", message));
}

// failed ends an attempt in which certainly nothing was done. What a person has to mend
// first is not tried again.
function failed(a: Answer): Outcome {
  const again = a.code == "UNREACHABLE" || a.code == "TIMEOUT" || a.code == "BUSY" || a.code == "UNAVAILABLE";
  return fail(a.code, a.text, again ? RETRY_AFTER_MS : -1);
}
