// The context: what a handler asks the host for, answered from the history.
import { Vars } from "./json";
import { digest, Fields, field, numberField, lookup, Span, Writer } from "./wire";

// @ts-ignore: decorator
@external("railhead", "log")
declare function hostLog(level: i32, ptr: usize, length: i32): void;

export const DEBUG = -4;
export const INFO = 0;
export const WARN = 4;
export const ERROR = 8;

export function logLine(level: i32, line: string): void {
  const utf8 = String.UTF8.encode(line);
  hostLog(level, changetype<usize>(utf8), utf8.byteLength);
}

// Kinds of answers are their fields in Answer.
const NONE: u32 = 0;
const HTTP: u32 = 1;
const START: u32 = 2;
const PUBLISH: u32 = 3;
const QUERY: u32 = 4;
const IN_DOUBT: u32 = 5;
const FAILURE: u32 = 6;
const SEQUENCE: u32 = 7;
const BYTES: u32 = 8;
const BOOL: u32 = 9;
const DONE: u32 = 10;
const TEXT: u32 = 11;

export enum State {
  WAITING, // no answer yet: return from the handler at once, with anything
  DONE, // it happened, and the answer is there
  FAILED, // it certainly did not happen: code and text say why
  DOUBT, // it may or may not have happened: idempotencyKey and reason
}

// Answer is what became of an effect. AssemblyScript has no exceptions to leave a
// handler with, so the handler looks at the state first.
export class Answer {
  code: string = "";
  text: string = "";
  idempotencyKey: string = "";
  reason: string = "";

  constructor(public state: State, private message: Span) {}

  get waiting(): bool { return this.state == State.WAITING; }
  get done(): bool { return this.state == State.DONE; }
  get failed(): bool { return this.state == State.FAILED; }
  get inDoubt(): bool { return this.state == State.DOUBT; }

  // Of an HTTP call.
  get status(): i32 { return i32(numberField(this.message, 1)); }
  get body(): string { return field(this.message, 3).text(); }
  get bytes(): Uint8Array { return field(this.message, 3).bytes(); }
  header(name: string): string {
    const value = lookup(this.message, 2, name.toLowerCase());
    return value ? value.text() : "";
  }

  // Of startPayment, query and awaitResult.
  get payment(): string { return field(this.message, this.kind == START ? 1 : 2).text(); }
  get repeated(): bool { return numberField(this.message, 2) != 0; }
  get found(): bool { return numberField(this.message, 1) != 0; }
  get paymentState(): string { return field(this.message, 3).text(); }
  get result(): string { return field(this.message, 4).text(); }
  get resultCode(): string { return field(this.message, 5).text(); }
  get startedMs(): i64 { return i64(numberField(this.message, 6)); }
  get endedMs(): i64 { return i64(numberField(this.message, 7)); }
  get flow(): string { return field(this.message, 8).text(); }
  get clientKey(): string { return field(this.message, 9).text(); }
  get pending(): bool { return numberField(this.message, 10) != 0; }
  // variable is the JSON of a variable that the query named, or "".
  variable(name: string): string {
    const value = lookup(this.message, 11, name);
    return value ? value.text() : "";
  }

  // Of sequence; of roundTrip, sign, mac and encrypt; of verify; of tokenize and
  // detokenize.
  get number(): u64 { return numberField(this.message, 1); }
  get data(): Uint8Array { return field(this.message, 1).bytes(); }
  get ok(): bool { return numberField(this.message, 1) != 0; }
  get token(): string { return field(this.message, 1).text(); }

  kind: u32 = 0;
}

export class Terms {
  amount: string = "";
  currency: string = "";
  debtor: string = "";
  creditor: string = "";

  write(w: Writer, number: u32): void {
    const at = w.begin(number);
    w.text(1, this.amount);
    w.text(2, this.currency);
    w.text(3, this.debtor);
    w.text(4, this.creditor);
    w.end(at);
  }
}

// Http is a call of an endpoint. Headers are written in the order they are set: set
// them in ascending order of their names.
export class Http {
  names: string[] = [];
  values: string[] = [];
  body: Uint8Array = new Uint8Array(0);
  key: string = "";
  terms: Terms | null = null;
  timeoutMs: i64 = 0;

  constructor(public endpoint: string, public method: string, public path: string) {}

  header(name: string, value: string): Http {
    this.names.push(name);
    this.values.push(value);
    return this;
  }

  text(body: string): Http {
    this.body = Uint8Array.wrap(String.UTF8.encode(body));
    return this;
  }

  // money makes this a money effect.
  money(key: string, terms: Terms): Http {
    this.key = key;
    this.terms = terms;
    return this;
  }
}

class Entry {
  ordinal: u32 = 0;
  digest: u64 = 0;
  timeMs: i64 = 0;
  answer: Span;

  constructor(message: Span) {
    this.answer = new Span(message.at, message.at);
    const f = new Fields(message);
    while (f.next()) {
      if (f.number == 1) this.ordinal = u32(f.bits);
      else if (f.number == 2) this.digest = f.bits;
      else if (f.number == 3) this.timeMs = i64(f.bits);
      else if (f.number == 4) this.answer = f.span();
    }
  }
}

export class Context {
  // config is the tenant's configuration of this connector, a JSON object.
  config: string = "{}";
  tenant: string = "";
  // state is what the last checkpoint of this job kept.
  state: Uint8Array = new Uint8Array(0);
  // now is the guest's clock: the time of the last answer, or of the trigger.
  now: i64 = 0;

  private seed: Span;
  private history: Entry[] = [];
  private next: i32 = 0;
  private ordinal: u32 = 0;
  private random0: u64 = 0;

  // reply is set once the step has ended at an effect.
  reply: Writer | null = null;
  settlements: Writer = new Writer();
  trigger: u32 = 0;
  message: Span;

  constructor(request: Span) {
    const none = new Span(request.at, request.at);
    this.seed = none;
    this.message = none;
    let trigger = none;
    const f = new Fields(request);
    while (f.next()) {
      if (f.number == 1) this.config = f.text();
      else if (f.number == 2) trigger = f.span();
      else if (f.number == 3) this.history.push(new Entry(f.span()));
      else if (f.number == 4) this.seed = f.span();
      else if (f.number == 5) this.state = f.span().bytes();
    }
    const t = new Fields(trigger);
    while (t.next()) {
      if (t.number == 1) this.now = i64(t.bits);
      else if (t.number == 2) this.tenant = t.text();
      else if (t.number <= 7) {
        this.trigger = t.number;
        this.message = t.span();
      }
    }
    // A history that begins with a checkpoint is taken up behind it.
    if (this.state.length > 0 && this.history.length > 0) {
      this.next = 1;
      this.ordinal = this.history[0].ordinal;
      this.now = this.history[0].timeMs;
    }
    // Randomness is derived from the seed alone.
    for (let i = 0; i + 8 <= this.seed.length; i += 8) this.random0 = mix(this.random0 ^ load<u64>(this.seed.at + i));
  }

  // random draws the same numbers in every run of one history. Fit for ids, not for
  // keys.
  random(): u64 {
    this.random0 += 0x9e3779b97f4a7c15;
    return mix(this.random0);
  }

  // settle reports, with the outcome, what became of a money effect in doubt.
  settle(key: string, done: bool): void {
    const w = this.settlements;
    const at = w.begin(8);
    w.text(1, key);
    w.bool(2, done);
    w.end(at);
  }

  // log writes a line for whoever runs the connector, unless an earlier step of this
  // history has written it.
  log(level: i32, line: string): void {
    if (this.next == this.history.length) logLine(level, line);
  }

  // ask is given the fields of the effect's kind, and the kind of its answer.
  private ask(kind: u32, body: Writer, answer: u32): Answer {
    const nothing = new Span(this.message.at, this.message.at);
    if (this.reply) return new Answer(State.WAITING, nothing);
    this.ordinal++;
    const effect = new Writer();
    effect.uint(1, this.ordinal);
    effect.varint(kind << 3 | 2);
    effect.varint(body.length);
    effect.raw(body.at, body.length);
    const reply = new Writer();
    if (this.next == this.history.length) {
      const at = reply.begin(1);
      reply.raw(effect.at, effect.length);
      reply.end(at);
      this.reply = reply;
      return new Answer(State.WAITING, nothing);
    }
    const entry = this.history[this.next];
    const got = digest(effect.at, effect.length);
    if (entry.ordinal != this.ordinal || entry.digest != got) {
      const at = reply.begin(3);
      reply.uint(1, this.ordinal);
      reply.fixed64(2, entry.digest);
      reply.fixed64(3, got);
      const e = reply.begin(4);
      reply.raw(effect.at, effect.length);
      reply.end(e);
      reply.end(at);
      this.reply = reply;
      return new Answer(State.WAITING, nothing);
    }
    this.next++;
    this.now = entry.timeMs;
    return decode(entry.answer, kind, answer);
  }

  // leftOver is the Mismatch of a handler that has ended before its history.
  leftOver(): Writer | null {
    if (this.next == this.history.length) return null;
    const entry = this.history[this.next];
    const reply = new Writer();
    const at = reply.begin(3);
    reply.uint(1, entry.ordinal);
    reply.fixed64(2, entry.digest);
    reply.end(at);
    return reply;
  }

  http(call: Http): Answer {
    const w = new Writer();
    w.text(1, call.endpoint);
    w.text(2, call.method);
    w.text(3, call.path);
    for (let i = 0; i < call.names.length; i++) {
      const at = w.begin(4);
      w.text(1, call.names[i]);
      w.text(2, call.values[i]);
      w.end(at);
    }
    w.bytes(5, call.body);
    w.text(6, call.key);
    const terms = call.terms;
    if (terms) terms.write(w, 7);
    w.uint(8, u64(call.timeoutMs));
    return this.ask(2, w, HTTP);
  }

  startPayment(flow: string, clientKey: string, requestDigest: Uint8Array, variables: Vars, uuidVariable: string): Answer {
    const w = new Writer();
    w.text(1, flow);
    w.text(2, clientKey);
    w.bytes(3, requestDigest);
    writeVars(w, 4, variables);
    w.text(5, uuidVariable);
    return this.ask(3, w, START);
  }

  publish(name: string, key: string, id: string, ttlMs: i64, variables: Vars): Answer {
    const w = new Writer();
    w.text(1, name);
    w.text(2, key);
    w.text(3, id);
    w.uint(4, u64(ttlMs));
    writeVars(w, 5, variables);
    return this.ask(4, w, PUBLISH);
  }

  awaitResult(payment: string, timeoutMs: i64): Answer {
    const w = new Writer();
    w.text(1, payment);
    w.uint(2, u64(timeoutMs));
    return this.ask(5, w, QUERY);
  }

  query(payment: string, clientKey: string, variables: string[]): Answer {
    const w = new Writer();
    w.text(1, payment);
    w.text(2, clientKey);
    for (let i = 0; i < variables.length; i++) w.element(3, variables[i]);
    return this.ask(6, w, QUERY);
  }

  sleep(durationMs: i64): Answer {
    const w = new Writer();
    w.uint(1, u64(durationMs));
    return this.ask(7, w, DONE);
  }

  sequence(name: string): Answer {
    const w = new Writer();
    w.text(1, name);
    return this.ask(8, w, SEQUENCE);
  }

  emit(name: string, event: Vars): Answer {
    const w = new Writer();
    w.text(1, name);
    w.text(2, event.toString());
    return this.ask(9, w, DONE);
  }

  // checkpoint replaces the history so far by a state and begins the handler anew: its
  // answer is there only if it failed. A state is at most 64 KiB and never empty.
  checkpoint(state: Uint8Array): Answer {
    const w = new Writer();
    w.bytes(1, state);
    return this.ask(10, w, DONE);
  }

  roundTrip(link: string, data: Uint8Array, matchKey: string, timeoutMs: i64, key: string, terms: Terms | null): Answer {
    const w = new Writer();
    w.text(1, link);
    w.bytes(2, data);
    w.text(3, matchKey);
    w.uint(4, u64(timeoutMs));
    w.text(5, key);
    if (terms) terms.write(w, 6);
    return this.ask(11, w, BYTES);
  }

  send(link: string, data: Uint8Array): Answer {
    const w = new Writer();
    w.text(1, link);
    w.bytes(2, data);
    return this.ask(12, w, DONE);
  }

  forward(link: string, key: string, data: Uint8Array, untilMs: i64): Answer {
    const w = new Writer();
    w.text(1, link);
    w.text(2, key);
    w.bytes(3, data);
    w.uint(4, u64(untilMs));
    return this.ask(13, w, DONE);
  }

  sign(keyRef: string, algorithm: string, data: Uint8Array): Answer { return this.keyed(14, keyRef, algorithm, data, null, BYTES); }
  verify(keyRef: string, algorithm: string, data: Uint8Array, signature: Uint8Array): Answer {
    return this.keyed(15, keyRef, algorithm, data, signature, BOOL);
  }
  mac(keyRef: string, algorithm: string, data: Uint8Array): Answer { return this.keyed(16, keyRef, algorithm, data, null, BYTES); }
  encrypt(keyRef: string, algorithm: string, data: Uint8Array, additional: Uint8Array | null): Answer {
    return this.keyed(17, keyRef, algorithm, data, additional, BYTES);
  }

  private keyed(kind: u32, keyRef: string, algorithm: string, data: Uint8Array, more: Uint8Array | null, answer: u32): Answer {
    const w = new Writer();
    w.text(1, keyRef);
    w.text(2, algorithm);
    w.bytes(3, data);
    if (more) w.bytes(4, more);
    return this.ask(kind, w, answer);
  }

  tokenize(kind: string, value: string): Answer {
    const w = new Writer();
    w.text(1, kind);
    w.text(2, value);
    return this.ask(18, w, TEXT);
  }

  detokenize(token: string): Answer {
    const w = new Writer();
    w.text(1, token);
    return this.ask(19, w, TEXT);
  }
}

function mix(z: u64): u64 {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

export function writeVars(w: Writer, number: u32, vars: Vars): void {
  for (let i = 0; i < vars.names.length; i++) {
    const at = w.begin(number);
    w.text(1, vars.names[i]);
    w.text(2, vars.values[i]);
    w.end(at);
  }
}

function decode(encoded: Span, effect: u32, want: u32): Answer {
  let kind = NONE;
  let message = encoded;
  const f = new Fields(encoded);
  while (f.next()) {
    kind = f.number;
    message = f.span();
  }
  if (kind == want) {
    const answer = new Answer(State.DONE, message);
    answer.kind = kind;
    return answer;
  }
  if (kind == IN_DOUBT) {
    const answer = new Answer(State.DOUBT, message);
    answer.idempotencyKey = field(message, 1).text();
    answer.reason = field(message, 2).text();
    return answer;
  }
  if (kind == NONE && (effect == 2 || effect == 11)) {
    const answer = new Answer(State.DOUBT, message);
    answer.reason = "it was done, but what the other side answered is lost: it was found out by enquiry";
    return answer;
  }
  const answer = new Answer(State.FAILED, message);
  answer.code = kind == FAILURE ? field(message, 1).text() : "INVALID";
  answer.text = kind == FAILURE ? field(message, 2).text() : "the host answered with something else";
  return answer;
}
