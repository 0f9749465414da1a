// Command of the tests: the variable "do" names what to do.
import {
  bytes, complete, Context, Failure, InDoubt, Job, Outcome, perConfig, RawJSON, serve, sha256, text, Vars,
} from "railhead";

let steps = 0;

const things: Record<string, (c: Context, job: Job) => Outcome | Promise<Outcome>> = {
  // --- what nobody should do
  loop: () => {
    for (;;);
  },
  microtasks: async () => {
    for (;;) await undefined;
  },
  recursion: (c, job) => things.recursion!(c, job) && complete({ never: true }),
  regex: () => complete({ found: /^(a+)+$/.test("a".repeat(40) + "!") }),
  memory: () => {
    const all: string[] = [];
    for (let n = 0; ; n++) all.push("x".repeat(100_000) + n);
  },
  array: () => complete({ length: new Array(1 << 28).fill(0).length }),
  nesting: () => complete({ value: JSON.parse("[".repeat(100_000)) }),
  stall: () => new Promise<Outcome>(() => undefined),
  throws: () => {
    throw new RangeError("out of \u0000 range\nforged line");
  },
  throwsNothing: () => {
    throw undefined;
  },
  lost: async () => {
    void Promise.reject(new Error("nobody listens"));
    return complete();
  },
  counter: async (c) => {
    await c.sleep(++steps);
    return complete();
  },
  nested: async (c) => {
    await c.http({ endpoint: "bank", method: "GET", get path() { void c.sleep(1); return "/"; } });
    return complete();
  },
  badAmount: async (c) => {
    await c.http({
      endpoint: "bank", method: "GET", path: "/", key: "x", terms: { amount: 12.5 as unknown as string, currency: "TZS" },
    });
    return complete();
  },
  noState: async (c) => {
    await c.checkpoint("");
    return complete();
  },
  global: () => {
    (globalThis as Record<string, unknown>).leak = 1;
    return complete();
  },
  prototype: () => {
    (Array.prototype as unknown as Record<string, unknown>).leak = 1;
    return complete();
  },
  config: (c) => {
    c.config.leak = 1;
    return complete();
  },
  // --- what is fine
  digests: (_, job) => {
    const hex = (b: Uint8Array) => Array.from(b, (n) => n.toString(16).padStart(2, "0")).join("");
    return complete({ digests: (job.get("texts") as string[]).map((t) => hex(sha256(t))), same: hex(sha256(bytes("é"))) === hex(sha256("é")) });
  },
  ownError: () => {
    class MyError extends Error {
      constructor() {
        super("mine");
        this.name = "MyError";
      }
    }
    return complete({ text: String(new MyError()), again: String(new Error("other")) });
  },
  clock: async (c) => {
    const before = Date.now();
    await c.sleep(5);
    return complete({ before, after: Date.now(), now: c.now.getTime(), zone: new Date().getTimezoneOffset() });
  },
  dice: (c) => complete({ a: Math.random(), b: c.random(), uuid: c.uuid() }),
  race: async (c) => {
    const seen: string[] = [];
    const branch = async (name: string, ms: number, turns: number) => {
      await c.sleep(ms);
      for (let i = 0; i < turns; i++) await undefined;
      seen.push(name);
      await c.emit(name, { turns });
    };
    await Promise.all([branch("a", 1, 9), branch("b", 2, 0), branch("c", 3, 4)]);
    return complete({ seen: seen.join("") });
  },
  many: async (c) => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => c.sleep(i + 1)));
    return complete({ done: true });
  },
  forgotten: (c) => {
    void c.sleep(7);
    return complete({ done: true });
  },
  checkpoint: async (c) => {
    const turn = c.state ? Number(text(c.state)) : 0;
    if (turn === 3) return complete({ turn });
    await c.sleep(turn + 1);
    await c.checkpoint(String(turn + 1));
    return complete({ never: true });
  },
  answers: async (c) => {
    const started = await c.startPayment({ flow: "f", clientKey: "k", variables: { raw: new RawJSON("12.50") } });
    const p = await c.query({ payment: started.payment, variables: ["amount"] });
    const n = await c.sequence("stan");
    const signed = await c.sign({ keyRef: "k", algorithm: "ES256", data: bytes("é") });
    const good = await c.verify({ keyRef: "k", algorithm: "ES256", data: "x", signature: signed });
    const token = await c.tokenize("pan", "4111");
    const problems: string[] = [];
    for (const call of [
      () => c.http({ endpoint: "bank", method: "GET", path: "/" }),
      () => c.http({ endpoint: "bank", method: "GET", path: "/", key: "k", terms: { amount: "1", currency: "TZS" } }),
      () => c.sleep(1),
    ]) {
      try {
        await call();
      } catch (e) {
        if (e instanceof InDoubt) problems.push("doubt " + e.idempotencyKey + " " + e.reason);
        else if (e instanceof Failure) problems.push("failure " + e.code + " " + e.text);
        else throw e;
      }
    }
    return complete({
      started: started.payment, repeated: started.repeated, state: p.state, amount: p.variables.amount,
      endedAt: p.endedAt?.toISOString(), n, signed: text(signed), good, token, problems,
    });
  },
  settings: (() => {
    const read = perConfig((c) => ({ name: String(c.config.name ?? "none") }));
    return (c: Context) => complete({ same: read(c) === read(c), name: read(c).name });
  })(),
};

// echo asks for whatever the job describes: a comparison with other writers of the
// contract.
async function echo(c: Context, job: Job): Promise<Outcome> {
  const call = job.get("call") as Record<string, any>;
  const r = await c.http({ ...call, body: call.hex === undefined ? call.body : fromHex(call.hex) } as any);
  const vars: Record<string, any> = { status: r.status, body: r.text(), header: r.header("X-One") ?? null };
  for (const name of job.names) vars["of " + name] = new RawJSON(job.json(name)!);
  return complete(vars as Vars);
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

serve({
  jobs: {
    probe: (c, job) => things[job.string("do")]!(c, job),
    echo,
  },
  routes: {
    echo: (_, r) => ({ status: 201, headers: { "x-id": r.param("id") ?? "" }, json: { got: r.text(), q: r.query("q") ?? null } }),
  },
  schedules: {
    nightly: (_, job) => complete({ payment: job.payment }),
  },
  links: {
    net: {
      frame: (_, f) => (f.event === "opened" ? ["hello"] : [f.data, bytes("!")]),
      frameKey: (_, f) => text(f.data.subarray(0, 4)),
    },
  },
});
