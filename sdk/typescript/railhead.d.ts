// Types of the TypeScript SDK for Railhead connectors. README.md of the SDK begins
// with an example; here is what each name means.
//
// A handler only looks as if it waited. The hub performs the effects, not the
// connector: a promise of the context is resolved from the history of what has
// happened so far, and when nothing can run any more the step ends with the effects
// that wait. Later the handler runs again from the beginning with one more answer.
// So a handler is a pure function of its arguments: Date and Math.random are safe
// (the time of the last answer, and the step's seed), variables outside handlers
// are not, since they are shared by all payments.

declare module "railhead" {
  /** A value that has JSON. Amounts of money are strings, never numbers. */
  export type JSONValue = null | boolean | number | string | RawJSON | readonly JSONValue[] | Vars;
  /** Named JSON values. Those of an effect or outcome are written in ascending order of their names. */
  export interface Vars {
    readonly [name: string]: JSONValue | undefined;
  }
  /** Bytes, or a string that stands for its UTF-8. */
  export type Data = Uint8Array | ArrayBuffer | string;

  /** What the connector serves. Names are those of the manifest, letter for letter, "{tenant}" included. */
  export interface Connector {
    jobs?: Readonly<Record<string, JobHandler>>;
    routes?: Readonly<Record<string, (c: Context, request: Request) => Reply | Promise<Reply>>>;
    schedules?: Readonly<Record<string, JobHandler>>;
    links?: Readonly<Record<string, Link>>;
  }
  export type JobHandler = (c: Context, job: Job) => Outcome | Promise<Outcome>;

  export interface Link {
    /** Handles a frame that answers nothing, and what happens to the link. The result goes out over it, in order. */
    frame?(c: Context, frame: Frame): readonly Data[] | Promise<readonly Data[]>;
    /** The match key of the round trip or forwarded frame that a frame answers; "" if it answers none. No effects here. */
    frameKey?(c: Context, frame: Frame): string | Promise<string>;
  }

  /** Names the connector of this script. Call it once, outside of any function. */
  export function serve(connector: Connector): void;

  /** A handler's only door to the world. It belongs to one step: do not keep it. */
  export interface Context {
    /** When the last answer came in, or the trigger was raised: the same in every run of one history. */
    readonly now: Date;
    readonly tenant: string;
    /** The tenant's configuration of this connector, frozen. Secrets in it are references: {{secret:name}}. */
    readonly config: any;
    /** What the last checkpoint of this job kept. */
    readonly state: Uint8Array | undefined;

    /** Calls an endpoint of the manifest. Rejected with InDoubt or Failure; any HTTP status is a Response. */
    http(call: HTTP): Promise<Response>;
    /** Starts a payment; it is durable when the promise is resolved. */
    startPayment(start: StartPayment): Promise<Started>;
    /** Publishes a message to a waiting payment. A duplicate by id is no error. */
    publish(message: Message): Promise<void>;
    /** Reads a payment. One that does not exist has found = false. */
    query(query: Query): Promise<Payment>;
    /** Waits until the payment has ended, at most for the timeout; the host may shorten it. */
    awaitResult(payment: string, timeoutMs: number): Promise<Payment>;
    /** Lets a job wait, durably. */
    sleep(durationMs: number): Promise<void>;
    /** Draws the next number of a sequence, from 1. None is drawn twice; some may be lost. */
    sequence(name: string): Promise<number>;
    /** Puts an event on the payment's timeline. */
    emit(name: string, event: Vars): Promise<void>;
    /**
     * Replaces the history so far by a state of at most 64 KiB and begins the handler anew, with state being it: the
     * promise is settled only if that failed. A long job uses it to stay under 64 effects. Let nothing else wait.
     */
    checkpoint(state: Data): Promise<void>;
    /** Sends a frame and waits for the one that answers it. Silence is doubt. */
    roundTrip(trip: RoundTrip): Promise<Uint8Array>;
    /** Sends a frame that nothing answers. Resolved when it is written, not when it has arrived. */
    send(link: string, data: Data): Promise<void>;
    /** Hands a frame to the link's durable queue. Resolved when it is in the queue. */
    forward(forward: Forward): Promise<void>;
    /** Uses a key that never leaves the host, as the next three do. Algorithms have the names of RFC 7518. */
    sign(sign: Keyed): Promise<Uint8Array>;
    verify(verify: Keyed & { signature: Data }): Promise<boolean>;
    mac(mac: Keyed): Promise<Uint8Array>;
    encrypt(encrypt: Keyed & { additional?: Data }): Promise<Uint8Array>;
    /** The tenant's token of a value, the same for the same kind and value. */
    tokenize(kind: string, value: string): Promise<string>;
    detokenize(token: string): Promise<string>;

    /** Reports, with the outcome, what became of a money effect in doubt. Say it only when the other side has said it. */
    settle(key: string, done: boolean): void;
    /** A number from 0 up to 1, the same in every run of one history, as Math.random is. Fit for ids, not for keys. */
    random(): number;
    /** A random (version 4) UUID. */
    uuid(): string;
    /** Writes a line to the node's log, once. Never log secrets or personal data. console does the same. */
    log(level: "debug" | "info" | "warn" | "error", message: string, fields?: Record<string, unknown>): void;
  }

  export interface HTTP {
    endpoint: string;
    method: string;
    /** Relative to the endpoint's base URL, escaped, with the query. */
    path: string;
    /** Values may hold {{secret:name}}. */
    headers?: Readonly<Record<string, string>>;
    body?: Data;
    /** In place of body: a value sent as JSON, with its content-type. */
    json?: JSONValue;
    /** Makes this a money effect: names what is done, once per payment ("hold", "book"), whichever job asks. */
    key?: string;
    /** Required with key. Asking again under the same key with other terms is a Failure. */
    terms?: Terms;
    /** The endpoint's own if left out. */
    timeoutMs?: number;
  }

  export interface Terms {
    /** Decimal, as in "12.50". */
    amount: string;
    /** ISO 4217. */
    currency: string;
    debtor?: string;
    creditor?: string;
  }

  interface Body {
    /** By name in lower case; of several only the first. */
    readonly headers: Record<string, string>;
    readonly body: Uint8Array;
    /** The first header of that name, in whatever case. */
    header(name: string): string | undefined;
    text(): string;
    /** Throws a SyntaxError if the body is not JSON. */
    json(): any;
  }

  /** An answered HTTP call of any status; redirects come as they are. */
  export interface Response extends Body {
    readonly status: number;
  }

  /** An HTTP request from outside on one of the connector's routes. */
  export interface Request extends Body {
    readonly route: string;
    readonly method: string;
    readonly path: string;
    /** The path segment that stands at {name} in the route, unescaped. */
    param(name: string): string | undefined;
    /** The first query parameter of that name, unescaped. */
    query(name: string): string | undefined;
  }

  /** Answers a request. */
  export interface Reply {
    /** 200 if left out. */
    status?: number;
    headers?: Readonly<Record<string, string>>;
    body?: Data;
    /** In place of body: a value sent as JSON, with its content-type. */
    json?: JSONValue;
  }

  export interface StartPayment {
    /** The BPMN process id. */
    flow: string;
    /** The same key with the same digest returns the first payment again; with another digest it is the Failure CONFLICT. */
    clientKey: string;
    requestDigest?: Data;
    variables?: Vars;
    /** The variable that receives the payment's UUID. */
    uuidVariable?: string;
  }
  export interface Started {
    payment: string;
    /** This is the first answer, given again. */
    repeated: boolean;
  }

  export interface Message {
    name: string;
    /** The correlation key. */
    key: string;
    /** A second message with the same id is dropped. Without one every message counts. */
    id?: string;
    /** How long it waits for a taker; without, it is taken now or not at all. */
    ttlMs?: number;
    variables?: Vars;
  }

  export interface Query {
    payment?: string;
    clientKey?: string;
    /** Names of variables of the running payment to read as well. */
    variables?: readonly string[];
  }

  export interface Payment {
    found: boolean;
    payment: string;
    state: "running" | "incident" | "ended" | "";
    /** completed, failed, reversed, returned, rejected, unknown or cancelled once the state is ended. */
    result: string;
    code: string;
    flow: string;
    clientKey: string;
    startedAt?: Date;
    endedAt?: Date;
    /** Set by awaitResult when the result was not there in time. */
    pending: boolean;
    /** Those that the query named and the payment has. */
    variables: Record<string, any>;
  }

  export interface RoundTrip {
    link: string;
    data: Data;
    matchKey: string;
    timeoutMs?: number;
    key?: string;
    terms?: Terms;
  }
  export interface Forward {
    link: string;
    /** The match key of the frame that acknowledges it. */
    key: string;
    data: Data;
    /** Parked for a person after that; three days from now if left out. */
    until?: Date | number;
  }
  export interface Keyed {
    /** One of the manifest's keys. */
    keyRef: string;
    algorithm: string;
    data: Data;
  }
  export interface Frame {
    readonly link: string;
    readonly data: Uint8Array;
    readonly event: "frame" | "opened" | "idle" | "unknown";
  }

  /** One activation of a flow's task. It belongs to one step; what its methods return may be kept. */
  export interface Job {
    readonly type: string;
    /** The payment's UUID. */
    readonly payment: string;
    /** From 1. */
    readonly attempt: number;
    /** How many attempts may follow. */
    readonly retries: number;
    readonly element: string;
    readonly flow: string;
    readonly paymentStarted: Date;
    /** Money effects that earlier attempts left in doubt. */
    readonly prior: Prior[];
    /** That of prior with the key. */
    doubt(key: string): Prior | undefined;
    /** A task header of the flow's element. */
    header(name: string): string | undefined;
    /** A variable's text: what a string says, or the JSON of a number or boolean. "" if it is missing or null. */
    string(name: string): string;
    /** A variable, parsed. JSON numbers become JavaScript's: read amounts with string. */
    get(name: string): any;
    /** A variable's JSON as it is. */
    json(name: string): string | undefined;
    /** Whether the variable exists and is not null. */
    has(name: string): boolean;
    /** Whether the variable is true; anything else is false. */
    bool(name: string): boolean;
    /** An integer, written as a number or as a string; undefined if it is none, or more than a number holds. */
    int(name: string): number | undefined;
    readonly names: string[];
    /** All of them, parsed: prefer the methods, which read only what is asked for. */
    readonly variables: Record<string, any>;
  }
  export interface Prior {
    key: string;
    /** The UUID that was on the wire. */
    idempotencyKey: string;
  }

  /** The effect certainly did not happen, or a query got no answer. */
  export class Failure extends Error {
    readonly code:
      | "CONFLICT" | "TERMS" | "ENDPOINT" | "FORBIDDEN" | "UNREACHABLE" | "TIMEOUT" | "TOO_LARGE"
      | "NOT_FOUND" | "BUSY" | "UNAVAILABLE" | "UNSUPPORTED" | "INVALID" | (string & {});
    readonly text: string;
    constructor(code: string, text: string);
  }
  /**
   * The effect may or may not have happened, and its endpoint must not simply be asked again. It is not a failure:
   * enquire under idempotencyKey, or return doubtful. It also comes for a money effect that is done but whose answer
   * nobody has, since it was found out by enquiry.
   */
  export class InDoubt extends Error {
    /** The UUID that was on the wire; "" if it is not known. */
    readonly idempotencyKey: string;
    readonly reason: string;
    constructor(idempotencyKey: string, reason: string);
  }

  /** How a job's attempt ends: made by the four functions below. */
  export interface Outcome {
    /** Makes a fail retryable, not before the backoff has passed (0: the flow's own). */
    retry(backoffMs?: number): Outcome;
    /** Adds variables to a bpmnError. */
    with(variables: Vars): Outcome;
  }
  /** Ends the job; the variables go to the flow. */
  export function complete(variables?: Vars): Outcome;
  /** Ends the attempt and opens an incident, unless retry follows. The code is the connector's own, in capitals. */
  export function fail(code: string, reason: string): Outcome;
  /** Ends the job with an error that the flow may catch by its code. */
  export function bpmnError(code: string, message: string): Outcome;
  /** Leaves the money effect of that key to a person: an incident opens and nothing is repeated. */
  export function doubtful(key: string, reason: string): Outcome;

  /** JSON text that is used as it is, digit for digit. Throws a SyntaxError if it is none. */
  export class RawJSON {
    readonly text: string;
    constructor(text: string);
  }

  /**
   * What read makes of the tenant's configuration, read once for each and not in every step. read may use config and
   * tenant and nothing else; handlers share the result and must not change it.
   */
  export function perConfig<T>(read: (c: { readonly config: any; readonly tenant: string }) => T): (c: Context) => T;

  /** A reply with a JSON body. */
  export function json(status: number, body: JSONValue): Reply;

  /** The SHA-256 of bytes, or of a string's UTF-8: what requestDigest usually is. */
  export function sha256(data: Data): Uint8Array;

  /** The UTF-8 of a string, and the string of UTF-8 bytes. */
  export function bytes(text: string): Uint8Array;
  export function text(bytes: Uint8Array | ArrayBuffer): string;
}

/** Lines of the node's log. */
declare const console: Record<"debug" | "log" | "info" | "warn" | "error", (...what: unknown[]) => void>;
declare function atob(base64: string): string;
declare function btoa(latin1: string): string;
