// The part of the SDK that is written in TypeScript: what a connector's script
// imports as "railhead". The build bundles it with the script; types for authors,
// with all that there is to say about each name, are in railhead.d.ts.

interface Native {
  serve(connector: object): void;
  problems(failure: unknown, inDoubt: unknown): void;
  context(): object;
  log(level: number, line: string): void;
  seal(f: () => void): void;
  rawJSON(constructor: unknown): void;
  bytes(text: string): Uint8Array;
  text(bytes: Uint8Array | ArrayBuffer): string;
  sha256(data: Uint8Array | ArrayBuffer | string): Uint8Array;
}

declare const __railhead: Native;
const native = __railhead;
delete (globalThis as Record<string, unknown>).__railhead;

export class Failure extends Error {
  readonly code: string;
  readonly text: string;
  constructor(code: string, text: string) {
    super(code + ": " + text);
    this.code = code;
    this.text = text;
  }
}

export class InDoubt extends Error {
  readonly idempotencyKey: string;
  readonly reason: string;
  constructor(idempotencyKey: string, reason: string) {
    super("in doubt: " + reason);
    this.idempotencyKey = idempotencyKey;
    this.reason = reason;
  }
}

for (const [problem, name] of [[Failure, "Failure"], [InDoubt, "InDoubt"]] as const) {
  Object.defineProperty(problem.prototype, "name", { value: name });
}
native.problems(Failure, InDoubt);

// Kinds of outcomes are their fields in the contract's Outcome.
class Outcome {
  readonly kind: number;
  readonly value: object;
  constructor(kind: number, value: object) {
    this.kind = kind;
    this.value = value;
  }
  retry(backoffMs = 0): Outcome {
    return this.kind === 2 ? new Outcome(2, { ...this.value, retryable: true, backoffMs }) : this;
  }
  with(variables: object): Outcome {
    return this.kind === 3 ? new Outcome(3, { ...this.value, variables }) : this;
  }
}

export const complete = (variables?: object) => new Outcome(1, { variables });
export const fail = (code: string, reason: string) => new Outcome(2, { code, reason });
export const bpmnError = (code: string, message: string) => new Outcome(3, { code, message });
export const doubtful = (key: string, reason: string) => new Outcome(4, { key, reason });

const levels: Record<string, number> = { debug: -4, info: 0, warn: 4, error: 8 };

function word(value: unknown): string {
  if (typeof value === "string") return /^[!#-<>-~]+$/.test(value) ? value : JSON.stringify(value);
  if (value instanceof Error) return JSON.stringify(String(value));
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

Object.defineProperty(native.context(), "log", {
  value: (level: string, message: string, fields: Record<string, unknown> = {}) => {
    if (!(level in levels)) throw new TypeError("log: the level is debug, info, warn or error");
    let line = message;
    for (const name of Object.keys(fields)) line += " " + name + "=" + word(fields[name]);
    native.log(levels[level], line);
  },
});

const say = (level: number) => (...what: unknown[]) =>
  native.log(level, what.map((w) => (typeof w === "string" ? w : w instanceof Error ? String(w) : word(w))).join(" "));

Object.defineProperty(globalThis, "console", {
  value: Object.freeze({ debug: say(-4), log: say(0), info: say(0), warn: say(4), error: say(8) }),
});

// Text that a variable or body is, digit for digit. Inside of another value it is
// what JSON.parse makes of it, as far as that can be written back.
export class RawJSON {
  readonly text: string;
  constructor(text: string) {
    JSON.parse(text);
    this.text = text;
    Object.freeze(this);
  }
  toJSON(): unknown {
    const value: unknown = JSON.parse(this.text);
    return typeof value === "object" && value !== null ? value : (JSON as unknown as Raw).rawJSON(this.text.trim());
  }
}
interface Raw {
  rawJSON(text: string): unknown;
}
native.rawJSON(RawJSON);

export const bytes = native.bytes;
export const text = native.text;
export const sha256 = native.sha256;

export const json = (status: number, body: unknown) => ({ status, json: body });

export function perConfig<C extends { config: object; tenant: string }, T>(read: (c: C) => T): (c: C) => T {
  let config: object | undefined;
  let tenant: string | undefined;
  let value: T;
  return (c) => {
    if (c.config !== config || c.tenant !== tenant) {
      value = read(c);
      config = c.config;
      tenant = c.tenant;
    }
    return value;
  };
}

export function serve(connector: object): void {
  native.serve(connector);
}

// seal is called when the script has been evaluated. It freezes the globals and all
// that belongs to the language, since instances serve all payments of a tenant: what
// one leaves there another would find. Variables of the script's own modules cannot be
// frozen.
native.seal(() => {
  const reached = new Set<object>();
  const todo: unknown[] = [
    globalThis,
    async () => {},
    function* () {},
    async function* () {},
    [][Symbol.iterator](),
    ""[Symbol.iterator](),
    new Map()[Symbol.iterator](),
    new Set()[Symbol.iterator](),
    "".matchAll(/x/g),
    native.context(),
  ];
  for (const thing of todo) {
    if ((typeof thing !== "object" && typeof thing !== "function") || thing === null || reached.has(thing)) continue;
    reached.add(thing);
    todo.push(Object.getPrototypeOf(thing));
    for (const d of Object.values(Object.getOwnPropertyDescriptors(thing))) todo.push(d.value, d.get, d.set);
    for (const name of Object.getOwnPropertySymbols(thing)) {
      const d = Object.getOwnPropertyDescriptor(thing, name)!;
      todo.push(d.value, d.get, d.set);
    }
  }
  // A frozen property of a prototype could not be set in an object either. Scripts do
  // that to a few, as in this.name = "MyError": those become accessors that set it there.
  for (const prototype of reached) {
    if (prototype !== Object.prototype && !(prototype instanceof Error) && prototype !== Error.prototype) continue;
    for (const name of ["name", "message", "constructor", "toString", "toLocaleString", "valueOf", "hasOwnProperty"]) {
      const d = Object.getOwnPropertyDescriptor(prototype, name);
      if (!d?.configurable || !("value" in d)) continue;
      const value: unknown = d.value;
      Object.defineProperty(prototype, name, {
        get: () => value,
        set(this: object, v: unknown) {
          if (this === prototype) throw new TypeError(name + " is read-only");
          Object.defineProperty(this, name, { value: v, writable: true, enumerable: true, configurable: true });
        },
        enumerable: false,
        configurable: false,
      });
    }
  }
  for (const thing of reached) {
    if (!ArrayBuffer.isView(thing)) Object.freeze(thing);
  }
});
