// The echo of sdk/parity, which says what it must do.
import { bytes, complete, Context, Failure, Frame, InDoubt, Job, Outcome, Payment, RawJSON, serve } from "railhead";

const hex = (b: Uint8Array) => Array.from(b, (n) => n.toString(16).padStart(2, "0")).join("");
const unhex = (s = "") => Uint8Array.from(s.match(/../g) ?? [], (pair) => parseInt(pair, 16));

const payment = (p: Payment) => [
  String(p.found), p.payment, p.state, p.result, p.code, String(p.startedAt?.getTime() ?? 0), String(p.endedAt?.getTime() ?? 0),
  p.flow, p.clientKey, String(p.pending), p.variables.x === undefined ? "" : JSON.stringify(p.variables.x),
];

// one asks for the effect, and says what it is answered.
async function one(c: Context, a: any): Promise<string[]> {
  const data = unhex(a.data), key = a.key ?? "", link = a.link ?? "", timeoutMs = a.timeout ?? 0;
  const keyed = { keyRef: a["key-ref"] ?? "", algorithm: a.algorithm ?? "", data };
  const terms = a.amount === undefined
    ? undefined
    : { amount: a.amount, currency: a.currency ?? "", debtor: a.debtor ?? "", creditor: a.creditor ?? "" };
  const variables: Record<string, RawJSON> = {};
  for (const [name, value] of Object.entries(a.variables ?? {})) variables[name] = new RawJSON(JSON.stringify(value));
  switch (a.kind) {
    case "http": {
      const r = await c.http({
        endpoint: a.endpoint ?? "", method: a.method ?? "", path: a.path ?? "", headers: Object.fromEntries(a.headers ?? []),
        body: unhex(a.body), key, terms, timeoutMs,
      });
      return [String(r.status), r.header("X-Echo") ?? "", hex(r.body)];
    }
    case "start-payment": {
      const s = await c.startPayment({
        flow: a.flow ?? "", clientKey: a["client-key"] ?? "", requestDigest: unhex(a.digest), variables,
        uuidVariable: a["uuid-variable"] ?? "",
      });
      return [s.payment, String(s.repeated)];
    }
    case "publish":
      await c.publish({ name: a.name ?? "", key, id: a.id ?? "", ttlMs: a.ttl ?? 0, variables });
      return [];
    case "await-result": return payment(await c.awaitResult(a.payment ?? "", timeoutMs));
    case "query":
      return payment(await c.query({ payment: a.payment ?? "", clientKey: a["client-key"] ?? "", variables: a.names ?? [] }));
    case "sleep": await c.sleep(a.duration ?? 0); return [];
    case "sequence": return [String(await c.sequence(a.name ?? ""))];
    case "emit": await c.emit(a.name ?? "", variables); return [];
    case "checkpoint": await c.checkpoint(data); return [];
    case "round-trip": return [hex(await c.roundTrip({ link, data, matchKey: a["match-key"] ?? "", timeoutMs, key, terms }))];
    case "send": await c.send(link, data); return [];
    case "forward": await c.forward({ link, key, data, until: a.until ?? 0 }); return [];
    case "sign": return [hex(await c.sign(keyed))];
    case "verify": return [String(await c.verify({ ...keyed, signature: unhex(a.signature) }))];
    case "mac": return [hex(await c.mac(keyed))];
    case "encrypt": return [hex(await c.encrypt({ ...keyed, additional: unhex(a.additional) }))];
    case "tokenize": return [await c.tokenize(a["kind-of"] ?? "", a.value ?? "")];
    case "detokenize": return [await c.detokenize(a.token ?? "")];
  }
  throw new Error("an unknown kind of effect: " + a.kind);
}

async function echo(c: Context, job: Job): Promise<Outcome> {
  const doubt = job.doubt("k");
  if (doubt) c.settle("k", doubt.idempotencyKey !== "");
  const answers = [];
  for (const a of job.get("ask").slice(c.state?.[0] ?? 0)) {
    try {
      answers.push({ state: "done", text: await one(c, a) });
    } catch (e) {
      if (e instanceof Failure) answers.push({ state: "failed", text: [e.code, e.text] });
      else if (e instanceof InDoubt) answers.push({ state: "doubt", text: [e.idempotencyKey, e.reason] });
      else throw e;
    }
  }
  return complete({
    answers,
    job: [
      job.type, job.payment, String(job.attempt), String(job.retries), job.element, job.flow, String(job.paymentStarted.getTime()),
      job.header("h") ?? "", doubt?.idempotencyKey ?? "", job.string("s"), String(job.int("i") ?? "none"), String(c.now.getTime()),
      c.uuid(), hex(c.state ?? new Uint8Array()),
    ],
  });
}

const events: Record<string, string> = { frame: "0", opened: "1", idle: "2" };

serve({
  jobs: { echo },
  schedules: { echo },
  links: {
    echo: {
      frame: async (c: Context, f: Frame) => [events[f.event]!, f.data, bytes(String(await c.sequence("frames")))],
      frameKey: (_: Context, f: Frame) => hex(f.data),
    },
  },
});
