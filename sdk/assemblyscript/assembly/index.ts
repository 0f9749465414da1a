// A small SDK for Railhead connectors in AssemblyScript. README.md says how to use it;
// this file has the boundary, what a connector serves, and how a step ends.
import { Context, ERROR, logLine, writeVars } from "./context";
import { textOf, Vars } from "./json";
import { Fields, field, lookup, numberField, Span, Writer } from "./wire";

export { Answer, Context, DEBUG, ERROR, Http, INFO, State, Terms, WARN } from "./context";
export { member, quote, stringMember, textOf, Vars } from "./json";

// Triggers are fields of Trigger.
const JOB: u32 = 3;
const REQUEST: u32 = 4;
const FRAME: u32 = 5;
const FRAME_KEY: u32 = 6;
const SCHEDULE: u32 = 7;

// Job is one activation of a flow's task.
export class Job {
  type: string;
  payment: string;
  element: string;
  flow: string;
  attempt: i32;
  retries: i32;
  startedMs: i64;

  constructor(private message: Span) {
    this.type = field(message, 1).text();
    this.payment = field(message, 2).text();
    this.attempt = i32(numberField(message, 3));
    this.retries = i32(numberField(message, 4));
    this.element = field(message, 8).text();
    this.flow = field(message, 9).text();
    this.startedMs = i64(numberField(message, 10));
  }

  // json is a variable as it is, or "" if there is none.
  json(name: string): string {
    const found = lookup(this.message, 5, name);
    return found ? found.text() : "";
  }

  // text is a variable's text: what a string says, or the JSON of a number or boolean.
  text(name: string): string { return textOf(this.json(name)); }

  header(name: string): string {
    const found = lookup(this.message, 6, name);
    return found ? found.text() : "";
  }

  // doubt is the idempotency key of a money effect that an earlier attempt left in
  // doubt, or null.
  doubt(key: string): string | null {
    const found = lookup(this.message, 7, key);
    return found ? found.text() : null;
  }
}

// Request is an HTTP request on one of the connector's routes.
export class Request {
  constructor(private message: Span) {}
  get route(): string { return field(this.message, 1).text(); }
  get method(): string { return field(this.message, 2).text(); }
  get path(): string { return field(this.message, 3).text(); }
  get body(): string { return field(this.message, 7).text(); }
  get bytes(): Uint8Array { return field(this.message, 7).bytes(); }
  param(name: string): string { return this.pair(4, name); }
  query(name: string): string { return this.pair(5, name); }
  header(name: string): string { return this.pair(6, name.toLowerCase()); }
  private pair(number: u32, name: string): string {
    const found = lookup(this.message, number, name);
    return found ? found.text() : "";
  }
}

// Frame is what came over a link, or what happened to it: event 0 is a frame, 1 that the
// link was opened, 2 that it was idle.
export class Frame {
  constructor(private message: Span) {}
  get link(): string { return field(this.message, 1).text(); }
  get data(): Uint8Array { return field(this.message, 2).bytes(); }
  get event(): i32 { return i32(numberField(this.message, 3)); }
}

// Outcome is how a step ends; the functions below make it.
export class Outcome {
  kind: u32 = 0;
  body: Writer = new Writer();
}

export function complete(vars: Vars): Outcome {
  const o = new Outcome();
  o.kind = 1;
  writeVars(o.body, 1, vars);
  return o;
}

// fail ends the attempt. With a backoff of at least 0 milliseconds it may be tried
// again; with less, an incident opens.
export function fail(code: string, reason: string, backoffMs: i64 = -1): Outcome {
  const o = new Outcome();
  o.kind = 2;
  o.body.bool(1, backoffMs >= 0);
  if (backoffMs > 0) o.body.uint(2, u64(backoffMs));
  o.body.text(3, reason);
  o.body.text(4, code);
  return o;
}

export function bpmnError(code: string, message: string, vars: Vars): Outcome {
  const o = new Outcome();
  o.kind = 3;
  o.body.text(1, code);
  o.body.text(2, message);
  writeVars(o.body, 3, vars);
  return o;
}

// doubtful leaves the money effect of that key to a person.
export function doubtful(key: string, reason: string): Outcome {
  const o = new Outcome();
  o.kind = 4;
  o.body.text(1, key);
  o.body.text(2, reason);
  return o;
}

// reply answers a request. Names and values of headers alternate.
export function reply(status: i32, headers: string[], body: string): Outcome {
  const o = new Outcome();
  o.kind = 5;
  o.body.uint(1, u64(status));
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const at = o.body.begin(2);
    o.body.text(1, headers[i]);
    o.body.text(2, headers[i + 1]);
    o.body.end(at);
  }
  o.body.text(3, body);
  return o;
}

export function frames(list: Uint8Array[]): Outcome {
  const o = new Outcome();
  o.kind = 6;
  for (let i = 0; i < list.length; i++) o.body.blob(1, list[i]);
  return o;
}

// matchKey answers which round trip a frame belongs to; "" is none.
export function matchKey(key: string): Outcome {
  const o = new Outcome();
  o.kind = 7;
  o.body.text(1, key);
  return o;
}

// waiting is what a handler returns at an answer that is not there yet. It may as well
// return anything else: once an effect waits, what the handler says is not looked at.
export function waiting(): Outcome { return new Outcome(); }

const jobs = new Map<string, (c: Context, job: Job) => Outcome>();
const schedules = new Map<string, (c: Context, job: Job) => Outcome>();
const routes = new Map<string, (c: Context, request: Request) => Outcome>();
const links = new Map<string, (c: Context, frame: Frame) => Outcome>();
const keys = new Map<string, (c: Context, frame: Frame) => Outcome>();

// Names are those of the manifest, letter for letter.
export function serveJob(type: string, f: (c: Context, job: Job) => Outcome): void { jobs.set(type, f); }
export function serveSchedule(name: string, f: (c: Context, job: Job) => Outcome): void { schedules.set(name, f); }
export function serveRoute(name: string, f: (c: Context, request: Request) => Outcome): void { routes.set(name, f); }
export function serveLink(link: string, f: (c: Context, frame: Frame) => Outcome): void { links.set(link, f); }
export function serveFrameKey(link: string, f: (c: Context, frame: Frame) => Outcome): void { keys.set(link, f); }

function call(c: Context): Outcome {
  const name = field(c.message, 1).text();
  if (c.trigger == JOB) {
    if (jobs.has(name)) return jobs.get(name)(c, new Job(c.message));
    return fail("UNKNOWN_JOB", "this connector does not serve job type " + name);
  }
  if (c.trigger == SCHEDULE) {
    if (schedules.has(name)) return schedules.get(name)(c, new Job(field(c.message, 2)));
    return fail("UNKNOWN_SCHEDULE", "this connector does not serve schedule " + name);
  }
  if (c.trigger == REQUEST) return routes.has(name) ? routes.get(name)(c, new Request(c.message)) : reply(404, [], "");
  if (c.trigger == FRAME) return links.has(name) ? links.get(name)(c, new Frame(c.message)) : frames([]);
  if (c.trigger == FRAME_KEY) return keys.has(name) ? keys.get(name)(c, new Frame(c.message)) : matchKey("");
  return fail("UNKNOWN_TRIGGER", "this connector does not know the trigger");
}

function step(request: Span): Writer {
  const c = new Context(request);
  const outcome = call(c);
  const ended = c.reply;
  if (ended) return ended;
  const left = c.leftOver();
  if (left) return left;
  const w = new Writer();
  if (outcome.kind == 0) {
    w.text(4, "the handler returned no outcome, and no effect waits");
    return w;
  }
  const at = w.begin(2);
  const kind = w.begin(outcome.kind);
  w.raw(outcome.body.at, outcome.body.length);
  w.end(kind);
  w.raw(c.settlements.at, c.settlements.length);
  w.end(at);
  return w;
}

let input: Uint8Array = new Uint8Array(0);
let output: Writer = new Writer();
let allocated: i32 = 0;

// What steps leave behind is collected when there may be a megabyte of it. Between
// steps nothing but globals refers to anything, which is when the minimal runtime of
// AssemblyScript allows it.
const GARBAGE_BYTES = 1 << 20;

export function railhead_abi_v1(): void {}

export function railhead_buf(n: i32): usize {
  if (n > input.length || input.length == 0) input = new Uint8Array(max(n, 16 << 10));
  return input.dataStart;
}

export function railhead_step(ptr: usize, length: i32): u64 {
  if (allocated > GARBAGE_BYTES) {
    __collect();
    allocated = 0;
  }
  output = step(new Span(ptr, ptr + length));
  allocated += 8 * length + 4 * output.length + (8 << 10);
  return u64(output.at) << 32 | u64(output.length);
}

// failed is what the compiler calls where the language would throw: it says where in
// the log, and ends the instance.
export function failed(message: string | null, file: string | null, line: u32, column: u32): void {
  const what = message ? message! : "assertion failed";
  const where = file ? file! : "?";
  logLine(ERROR, what + " at " + where + ":" + line.toString() + ":" + column.toString());
  unreachable();
}
