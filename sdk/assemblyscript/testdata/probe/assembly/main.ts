// What the tests ask for.
import {
  Answer, complete, Context, fail, Frame, frames, Http, Job, matchKey, Outcome, quote, reply, Request, serveFrameKey,
  serveJob, serveLink, serveRoute, serveSchedule, stringMember, Terms, Vars, waiting,
} from "../railhead/index";

serveJob("checkpoint", (c: Context, job: Job): Outcome => {
  const turn = c.state.length == 0 ? 0 : i32(c.state[0]);
  if (turn == 3) return complete(new Vars().int("turn", turn).int("now", c.now));
  if (c.sleep(turn + 1).waiting) return waiting();
  const state = new Uint8Array(1);
  state[0] = u8(turn + 1);
  if (c.checkpoint(state).waiting) return waiting();
  return fail("NEVER", "a checkpoint begins anew");
});

let count: i64 = 0;
serveJob("count", (c: Context, job: Job): Outcome => {
  count++; // as nobody should
  if (c.sleep(count).waiting) return waiting();
  return complete(new Vars());
});

serveJob("early", (c: Context, job: Job): Outcome => complete(new Vars().int("dice", i64(c.random() >> 32))));

// echo asks for the call that the job describes.
serveJob("echo", (c: Context, job: Job): Outcome => {
  const call = new Http(job.text("endpoint"), job.text("method"), job.text("path"))
    .header("a", job.text("header")).text(job.text("body"));
  call.timeoutMs = i64.parse(job.text("timeout"));
  const terms = new Terms();
  terms.amount = job.text("amount");
  terms.creditor = job.text("creditor");
  call.money(job.text("key"), terms);
  const a = c.http(call);
  if (a.waiting) return waiting();
  return complete(new Vars().int("status", a.status).text("body", a.body).text("header", a.header("X-One")));
});

// all asks for one of every other kind.
serveJob("all", (c: Context, job: Job): Outcome => {
  const data = Uint8Array.wrap(String.UTF8.encode("data"));
  const said: string[] = [];
  const answers: Answer[] = [];
  answers.push(c.startPayment("flow", "key", data, new Vars().bool("b", true), "uuid"));
  answers.push(c.publish("name", "key", "id", 5, new Vars().text("t", "x")));
  answers.push(c.awaitResult("p", 7));
  answers.push(c.query("p", "k", ["a", ""]));
  answers.push(c.sequence("stan"));
  answers.push(c.emit("event", new Vars().int("n", -1)));
  answers.push(c.roundTrip("net", data, "m", 9, "key", new Terms()));
  answers.push(c.send("net", data));
  answers.push(c.forward("net", "m", data, 11));
  answers.push(c.sign("k", "ES256", data));
  answers.push(c.verify("k", "ES256", data, data));
  answers.push(c.mac("k", "HS256", data));
  answers.push(c.encrypt("k", "A256GCM", data, null));
  answers.push(c.tokenize("pan", "4111"));
  answers.push(c.detokenize("tok"));
  for (let i = 0; i < answers.length; i++) {
    if (answers[i].waiting) return waiting();
    said.push(quote(answers[i].done ? "done" : answers[i].inDoubt ? "doubt" : answers[i].code));
  }
  return complete(new Vars().json("said", "[" + said.join(",") + "]"));
});

serveRoute("echo", (c: Context, r: Request): Outcome =>
  reply(201, ["x-id", r.param("id")], r.body + stringMember('{"a": "\\u00e9"}', "a") + r.query("q") + r.header("X-Y")));
serveSchedule("nightly", (c: Context, job: Job): Outcome => complete(new Vars().text("payment", job.payment)));
serveLink("net", (c: Context, f: Frame): Outcome => frames(f.event == 1 ? [] : [f.data, f.data]));
serveFrameKey("net", (c: Context, f: Frame): Outcome => matchKey(String.UTF8.decode(f.data.buffer).substring(0, 4)));
