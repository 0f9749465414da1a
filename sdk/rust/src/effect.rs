//! What a connector may ask the host for, and what it is answered.

use crate::json::{Json, JsonError};
use crate::outcome::encode_headers;
use crate::time::{millis, Duration, Time};
use crate::vars::{ToJson, Vars};
use crate::wire::{fields, lookup, pair, Malformed, Writer};
use std::borrow::Cow;
use std::fmt;

/// The effect certainly did not happen, or a query got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One of the host's codes, see [`code`].
    pub code: String,
    pub text: String,
}

/// The effect may or may not have happened, and its endpoint must not simply be
/// asked again. It is not a failure: enquire under `idempotency_key`, or return
/// [`Outcome::doubtful`](crate::Outcome::doubtful).
///
/// It is also what [`Context::http`](crate::Context::http) returns for a money
/// effect that is done but whose answer nobody has, since it was found out by
/// enquiry: then the reason says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InDoubt {
    /// The UUID that was on the wire; empty if it is not known.
    pub idempotency_key: String,
    pub reason: String,
}

/// Why an effect has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    Failure(Failure),
    InDoubt(InDoubt),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Failure(failure) => write!(f, "{}: {}", failure.code, failure.text),
            Error::InDoubt(doubt) => write!(f, "in doubt: {}", doubt.reason),
        }
    }
}

impl std::error::Error for Error {}

/// Codes of a [`Failure`]. New ones may be added.
pub mod code {
    /// The same client key was used with another request digest.
    pub const CONFLICT: &str = "CONFLICT";
    /// The money effect's key is known with other terms.
    pub const TERMS: &str = "TERMS";
    /// The endpoint is not declared, or not bound to an address.
    pub const ENDPOINT: &str = "ENDPOINT";
    /// Policy refused it.
    pub const FORBIDDEN: &str = "FORBIDDEN";
    /// No connection; the request never left.
    pub const UNREACHABLE: &str = "UNREACHABLE";
    /// A repeatable effect got no answer in time.
    pub const TIMEOUT: &str = "TIMEOUT";
    /// A request, answer or state is over its limit.
    pub const TOO_LARGE: &str = "TOO_LARGE";
    /// The named flow, payment, link or key does not exist.
    pub const NOT_FOUND: &str = "NOT_FOUND";
    /// A rate limit, an open circuit breaker or a full queue; later may do.
    pub const BUSY: &str = "BUSY";
    /// The cluster cannot take commands now.
    pub const UNAVAILABLE: &str = "UNAVAILABLE";
    /// This trigger may not use this effect, or the host does not perform it.
    pub const UNSUPPORTED: &str = "UNSUPPORTED";
    /// The effect itself is malformed.
    pub const INVALID: &str = "INVALID";
}

/// How an effect is written, and its answer read.
pub trait Effect<'a> {
    type Answer;
    #[doc(hidden)]
    const FIELD: u32;
    #[doc(hidden)]
    fn encode(&self, w: &mut Writer);
    #[doc(hidden)]
    fn answer(kind: u32, message: Cow<'a, [u8]>) -> Result<Result<Self::Answer, Error>, Malformed>;
}

const ANSWER_NONE: u32 = 0;
const ANSWER_HTTP: u32 = 1;
const ANSWER_START: u32 = 2;
const ANSWER_PUBLISH: u32 = 3;
const ANSWER_QUERY: u32 = 4;
const ANSWER_IN_DOUBT: u32 = 5;
const ANSWER_FAILURE: u32 = 6;
const ANSWER_SEQUENCE: u32 = 7;
const ANSWER_BYTES: u32 = 8;
const ANSWER_BOOL: u32 = 9;
const ANSWER_DONE: u32 = 10;
const ANSWER_TEXT: u32 = 11;

/// A money effect that was settled as done by enquiry never had an answer to keep.
pub(crate) fn lost<'a, E: Effect<'a>>(kind: u32) -> Option<Error> {
    let moves_money = E::FIELD == <Http<'_> as Effect<'a>>::FIELD || E::FIELD == <RoundTrip<'_> as Effect<'a>>::FIELD;
    if kind != ANSWER_NONE || !moves_money {
        return None;
    }
    Some(Error::InDoubt(InDoubt { idempotency_key: String::new(), reason: ANSWER_LOST.to_string() }))
}

const ANSWER_LOST: &str = "it was done, but what the other side answered is lost: it was found out by enquiry";

/// The error that an answer stands for, when it is not of the kind that was
/// hoped for.
fn other(kind: u32, message: &[u8]) -> Result<Error, Malformed> {
    let (first, second) = pair(message)?;
    let text = |b: &[u8]| String::from_utf8(b.to_vec()).map_err(|_| Malformed);
    Ok(match kind {
        ANSWER_FAILURE => Error::Failure(Failure { code: text(first)?, text: text(second)? }),
        ANSWER_IN_DOUBT => Error::InDoubt(InDoubt { idempotency_key: text(first)?, reason: text(second)? }),
        // A host's mistake; for the connector the effect got no answer.
        _ => something_else(),
    })
}

fn something_else() -> Error {
    Error::Failure(Failure { code: code::INVALID.to_string(), text: "the host answered with something else".to_string() })
}

/// Reads an answer of the kind with `read`, and any other as an error.
fn expect<'a, T>(
    want: u32, kind: u32, message: Cow<'a, [u8]>, read: impl FnOnce(Cow<'a, [u8]>) -> Result<T, Malformed>,
) -> Result<Result<T, Error>, Malformed> {
    match kind {
        _ if kind == want => read(message).map(Ok),
        ANSWER_FAILURE | ANSWER_IN_DOUBT => other(kind, &message).map(Err),
        _ => Ok(Err(something_else())),
    }
}

fn owned(bytes: &[u8]) -> Result<String, Malformed> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed)
}

/// The last bytes field of that number.
fn bytes_of(message: &[u8], number: u32) -> Result<&[u8], Malformed> {
    let mut found: &[u8] = &[];
    for field in fields(message) {
        let field = field?;
        if field.number == number {
            found = field.bytes()?;
        }
    }
    Ok(found)
}

/// The last number field of that number.
fn uint_of(message: &[u8], number: u32) -> Result<u64, Malformed> {
    let mut found = 0;
    for field in fields(message) {
        let field = field?;
        if field.number == number {
            found = field.uint()?;
        }
    }
    Ok(found)
}

/// A call of an endpoint that the manifest declares and the tenant has bound to
/// an address.
#[derive(Clone, Debug, Default)]
pub struct Http<'e> {
    endpoint: Cow<'e, str>,
    method: Cow<'e, str>,
    path: Cow<'e, str>,
    headers: Vec<(Cow<'e, str>, Cow<'e, str>)>,
    body: Cow<'e, [u8]>,
    key: Cow<'e, str>,
    terms: Option<Terms<'e>>,
    timeout: Duration,
}

impl<'e> Http<'e> {
    /// The path is relative to the endpoint's base URL, escaped, with the query.
    pub fn new(
        method: impl Into<Cow<'e, str>>, endpoint: impl Into<Cow<'e, str>>, path: impl Into<Cow<'e, str>>,
    ) -> Http<'e> {
        Http { endpoint: endpoint.into(), method: method.into(), path: path.into(), ..Http::default() }
    }

    pub fn get(endpoint: impl Into<Cow<'e, str>>, path: impl Into<Cow<'e, str>>) -> Http<'e> {
        Http::new("GET", endpoint, path)
    }

    pub fn post(endpoint: impl Into<Cow<'e, str>>, path: impl Into<Cow<'e, str>>) -> Http<'e> {
        Http::new("POST", endpoint, path)
    }

    pub fn put(endpoint: impl Into<Cow<'e, str>>, path: impl Into<Cow<'e, str>>) -> Http<'e> {
        Http::new("PUT", endpoint, path)
    }

    /// The value may hold `{{secret:name}}`. Headers are written by ascending
    /// name.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'e, str>>, value: impl Into<Cow<'e, str>>) -> Http<'e> {
        self.headers.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Cow<'e, [u8]>>) -> Http<'e> {
        self.body = body.into();
        self
    }

    /// Makes this a money effect: the key names what is done, once per payment
    /// ("hold", "book"), whichever job asks. Terms are then required. The host
    /// sends an idempotency key that belongs to (payment, key).
    #[must_use]
    pub fn key(mut self, key: impl Into<Cow<'e, str>>) -> Http<'e> {
        self.key = key.into();
        self
    }

    #[must_use]
    pub fn terms(mut self, terms: Terms<'e>) -> Http<'e> {
        self.terms = Some(terms);
        self
    }

    /// Rounded up to milliseconds; zero means the endpoint's own.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Http<'e> {
        self.timeout = timeout;
        self
    }
}

/// What a money effect is about. Asking again under the same key with other
/// terms is an error.
#[derive(Clone, Debug, Default)]
pub struct Terms<'e> {
    amount: Cow<'e, str>,
    currency: Cow<'e, str>,
    debtor: Cow<'e, str>,
    creditor: Cow<'e, str>,
}

impl<'e> Terms<'e> {
    /// A decimal such as "12.50", and an ISO 4217 code.
    pub fn new(amount: impl Into<Cow<'e, str>>, currency: impl Into<Cow<'e, str>>) -> Terms<'e> {
        Terms { amount: amount.into(), currency: currency.into(), ..Terms::default() }
    }

    #[must_use]
    pub fn debtor(mut self, debtor: impl Into<Cow<'e, str>>) -> Terms<'e> {
        self.debtor = debtor.into();
        self
    }

    #[must_use]
    pub fn creditor(mut self, creditor: impl Into<Cow<'e, str>>) -> Terms<'e> {
        self.creditor = creditor.into();
        self
    }

    fn encode(&self, w: &mut Writer, number: u32) {
        let at = w.begin(number);
        w.text(1, &self.amount);
        w.text(2, &self.currency);
        w.text(3, &self.debtor);
        w.text(4, &self.creditor);
        w.end(at);
    }
}

impl<'a> Effect<'a> for Http<'_> {
    type Answer = Response<'a>;
    const FIELD: u32 = 2;

    fn encode(&self, w: &mut Writer) {
        w.text(1, &self.endpoint);
        w.text(2, &self.method);
        w.text(3, &self.path);
        encode_headers(w, 4, &self.headers);
        w.bytes(5, &self.body);
        w.text(6, &self.key);
        if let Some(terms) = &self.terms {
            terms.encode(w, 7);
        }
        w.uint(8, millis(self.timeout));
    }

    fn answer(kind: u32, message: Cow<'a, [u8]>) -> Result<Result<Response<'a>, Error>, Malformed> {
        expect(ANSWER_HTTP, kind, message, |message| {
            for field in fields(&message) {
                let field = field?;
                match field.number {
                    1 => drop(field.uint()?),
                    2 => drop(pair(field.bytes()?)?),
                    3 => drop(field.bytes()?),
                    _ => {}
                }
            }
            Ok(Response { status: uint_of(&message, 1)? as u32 as u16, encoded: message })
        })
    }
}

/// An answered call of any status; redirects come as they are.
#[derive(Clone, Debug)]
pub struct Response<'a> {
    pub status: u16,
    encoded: Cow<'a, [u8]>,
}

impl Response<'_> {
    pub fn body(&self) -> &[u8] {
        bytes_of(&self.encoded, 3).unwrap_or_default()
    }

    /// The first header of that name, in whatever case; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let found = lookup(&self.encoded, 2, &name.to_ascii_lowercase());
        found.and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Json<'_>, JsonError> {
        Json::parse(self.body())
    }
}

/// Asks for a payment of a deployed flow.
#[derive(Clone, Debug, Default)]
pub struct StartPayment<'e> {
    /// The BPMN process id.
    pub flow: &'e str,
    /// Makes the start idempotent: the same key with the same digest returns the
    /// first payment again, with another digest it is [`code::CONFLICT`].
    pub client_key: &'e str,
    /// 32 bytes, usually SHA-256 of what the client sent.
    pub request_digest: &'e [u8],
    pub variables: Vars,
    /// If set, the variable that receives the payment's UUID.
    pub uuid_variable: &'e str,
}

/// A payment that was started, now or before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The payment's UUID.
    pub payment: String,
    /// This is the first answer, given again.
    pub repeated: bool,
}

impl<'a> Effect<'a> for StartPayment<'_> {
    type Answer = Started;
    const FIELD: u32 = 3;

    fn encode(&self, w: &mut Writer) {
        w.text(1, self.flow);
        w.text(2, self.client_key);
        w.bytes(3, self.request_digest);
        self.variables.encode(w, 4);
        w.text(5, self.uuid_variable);
    }

    fn answer(kind: u32, message: Cow<'a, [u8]>) -> Result<Result<Started, Error>, Malformed> {
        expect(ANSWER_START, kind, message, |m| {
            Ok(Started { payment: owned(bytes_of(&m, 1)?)?, repeated: uint_of(&m, 2)? != 0 })
        })
    }
}

/// What a waiting payment receives.
#[derive(Clone, Debug, Default)]
pub struct Message<'e> {
    pub name: &'e str,
    /// The correlation key.
    pub key: &'e str,
    /// Makes publishing idempotent: a second message with the same id is
    /// dropped. Empty means every message counts.
    pub id: &'e str,
    /// How long the message waits for a taker; zero means it is taken now or not
    /// at all.
    pub ttl: Duration,
    pub variables: Vars,
}

impl<'a> Effect<'a> for Message<'_> {
    /// Whether it was a duplicate by its id.
    type Answer = bool;
    const FIELD: u32 = 4;

    fn encode(&self, w: &mut Writer) {
        w.text(1, self.name);
        w.text(2, self.key);
        w.text(3, self.id);
        w.uint(4, millis(self.ttl));
        self.variables.encode(w, 5);
    }

    fn answer(kind: u32, message: Cow<'a, [u8]>) -> Result<Result<bool, Error>, Malformed> {
        expect(ANSWER_PUBLISH, kind, message, |m| Ok(uint_of(&m, 1)? != 0))
    }
}

/// Names a payment of the tenant, by UUID or by client key.
#[derive(Clone, Debug, Default)]
pub struct Query<'e> {
    pub payment: &'e str,
    pub client_key: &'e str,
    /// Names variables of the running payment to read as well.
    pub variables: &'e [&'e str],
}

impl<'a> Effect<'a> for Query<'_> {
    type Answer = Payment<'a>;
    const FIELD: u32 = 6;

    fn encode(&self, w: &mut Writer) {
        w.text(1, self.payment);
        w.text(2, self.client_key);
        for name in self.variables {
            w.always(3, name.as_bytes());
        }
    }

    fn answer(kind: u32, message: Cow<'a, [u8]>) -> Result<Result<Payment<'a>, Error>, Malformed> {
        expect(ANSWER_QUERY, kind, message, Payment::decode)
    }
}

/// What [`Context::await_result`](crate::Context::await_result) asks for.
#[derive(Clone, Copy, Debug)]
pub struct AwaitResult<'e> {
    pub(crate) payment: &'e str,
    pub(crate) timeout: Duration,
}

impl<'a> Effect<'a> for AwaitResult<'_> {
    type Answer = Payment<'a>;
    const FIELD: u32 = 5;

    fn encode(&self, w: &mut Writer) {
        w.text(1, self.payment);
        w.uint(2, millis(self.timeout));
    }

    fn answer(kind: u32, message: Cow<'a, [u8]>) -> Result<Result<Payment<'a>, Error>, Malformed> {
        expect(ANSWER_QUERY, kind, message, Payment::decode)
    }
}

/// What the hub tells about a payment.
#[derive(Clone, Debug, Default)]
pub struct Payment<'a> {
    /// The other fields are empty if not.
    pub found: bool,
    pub payment: String, // UUID
    pub state: String,   // running, incident, ended
    /// completed, failed, reversed, returned, rejected, unknown or cancelled,
    /// once the state is ended.
    pub result: String,
    pub code: String,
    pub flow: String,
    pub client_key: String,
    pub started: Option<Time>,
    pub ended: Option<Time>,
    /// The result was not there in time.
    pub pending: bool,
    encoded: Cow<'a, [u8]>,
}

impl<'a> Payment<'a> {
    fn decode(message: Cow<'a, [u8]>) -> Result<Payment<'a>, Malformed> {
        let mut p = Payment::default();
        let time = |ms: u64| if ms == 0 { None } else { Some(Time { ms: ms as i64 }) };
        for field in fields(&message) {
            let field = field?;
            match field.number {
                1 => p.found = field.uint()? != 0,
                2 => p.payment = field.text()?.to_string(),
                3 => p.state = field.text()?.to_string(),
                4 => p.result = field.text()?.to_string(),
                5 => p.code = field.text()?.to_string(),
                6 => p.started = time(field.uint()?),
                7 => p.ended = time(field.uint()?),
                8 => p.flow = field.text()?.to_string(),
                9 => p.client_key = field.text()?.to_string(),
                10 => p.pending = field.uint()? != 0,
                11 => drop(pair(field.bytes()?)?),
                _ => {}
            }
        }
        p.encoded = message;
        Ok(p)
    }

    /// A variable that the query named. It is missing if the payment does not
    /// have it or has ended.
    pub fn json(&self, name: &str) -> Json<'_> {
        lookup(&self.encoded, 11, name).and_then(|json| Json::parse(json).ok()).unwrap_or_default()
    }
}

/// What [`Context::sleep`](crate::Context::sleep) asks for.
#[derive(Clone, Copy, Debug)]
pub struct Sleep {
    pub(crate) duration: Duration,
}

/// What [`Context::sequence`](crate::Context::sequence) asks for.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'e> {
    pub(crate) name: &'e str,
}

/// What [`Context::emit`](crate::Context::emit) asks for.
#[derive(Clone, Copy, Debug)]
pub struct Emit<'e> {
    pub(crate) name: &'e str,
    pub(crate) event: &'e Vars,
}

/// What [`Context::checkpoint`](crate::Context::checkpoint) asks for.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoint<'e> {
    pub(crate) state: &'e [u8],
}

/// A frame that another one answers: the first to which the connector gives the
/// same match key.
#[derive(Clone, Debug, Default)]
pub struct RoundTrip<'e> {
    pub link: &'e str,
    pub frame: &'e [u8],
    pub match_key: &'e str,
    pub timeout: Duration,
    /// A money effect names a key and terms, as [`Http::key`] says.
    pub key: &'e str,
    pub terms: Option<Terms<'e>>,
}

/// What [`Context::send`](crate::Context::send) asks for.
#[derive(Clone, Copy, Debug)]
pub struct Send<'e> {
    pub(crate) link: &'e str,
    pub(crate) frame: &'e [u8],
}

/// A frame for a link's queue.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forward<'e> {
    pub link: &'e str,
    /// The match key of the frame that acknowledges it.
    pub key: &'e str,
    pub frame: &'e [u8],
    /// Until when it is tried; nothing means three days.
    pub until: Option<Time>,
}

/// What [`Context::sign`](crate::Context::sign) asks for.
#[derive(Clone, Copy, Debug)]
pub struct Sign<'e> {
    pub(crate) key_ref: &'e str,
    pub(crate) algorithm: &'e str,
    pub(crate) data: &'e [u8],
}

/// What [`Context::verify`](crate::Context::verify) asks for.
#[derive(Clone, Copy, Debug)]
pub struct Verify<'e> {
    pub(crate) key_ref: &'e str,
    pub(crate) algorithm: &'e str,
    pub(crate) data: &'e [u8],
    pub(crate) signature: &'e [u8],
}

/// What [`Context::mac`](crate::Context::mac) asks for.
#[derive(Clone, Copy, Debug)]
pub struct Mac<'e> {
    pub(crate) key_ref: &'e str,
    pub(crate) algorithm: &'e str,
    pub(crate) data: &'e [u8],
}

/// What [`Context::encrypt`](crate::Context::encrypt) asks for.
#[derive(Clone, Copy, Debug)]
pub struct Encrypt<'e> {
    pub(crate) key_ref: &'e str,
    pub(crate) algorithm: &'e str,
    pub(crate) data: &'e [u8],
    pub(crate) additional: &'e [u8],
}

/// What [`Context::tokenize`](crate::Context::tokenize) asks for.
#[derive(Clone, Copy, Debug)]
pub struct Tokenize<'e> {
    pub(crate) kind: &'e str,
    pub(crate) value: &'e str,
}

/// What [`Context::detokenize`](crate::Context::detokenize) asks for.
#[derive(Clone, Copy, Debug)]
pub struct Detokenize<'e> {
    pub(crate) token: &'e str,
}

/// The effects that are a handful of fields, and answered by one value.
macro_rules! plain {
    ($effect:ty, $field:literal, $kind:ident -> $answer:ty, |$e:ident, $w:ident| $encode:expr, |$m:ident| $read:expr) => {
        impl<'a> Effect<'a> for $effect {
            type Answer = $answer;
            const FIELD: u32 = $field;

            fn encode(&self, $w: &mut Writer) {
                let $e = self;
                $encode
            }

            fn answer(kind: u32, message: Cow<'a, [u8]>) -> Result<Result<$answer, Error>, Malformed> {
                expect($kind, kind, message, |$m| $read)
            }
        }
    };
}

plain!(Sleep, 7, ANSWER_DONE -> (), |e, w| w.uint(1, millis(e.duration)), |_m| Ok(()));
plain!(Sequence<'_>, 8, ANSWER_SEQUENCE -> u64, |e, w| w.text(1, e.name), |m| uint_of(&m, 1));
plain!(Emit<'_>, 9, ANSWER_DONE -> (), |e, w| {
    w.text(1, e.name);
    let at = w.begin(2);
    e.event.write_json(&mut w.out);
    w.end(at);
}, |_m| Ok(()));
plain!(Checkpoint<'_>, 10, ANSWER_DONE -> (), |e, w| w.bytes(1, e.state), |_m| Ok(()));
plain!(RoundTrip<'_>, 11, ANSWER_BYTES -> Vec<u8>, |e, w| {
    w.text(1, e.link);
    w.bytes(2, e.frame);
    w.text(3, e.match_key);
    w.uint(4, millis(e.timeout));
    w.text(5, e.key);
    if let Some(terms) = &e.terms {
        terms.encode(w, 6);
    }
}, |m| bytes_of(&m, 1).map(<[u8]>::to_vec));
plain!(Send<'_>, 12, ANSWER_DONE -> (), |e, w| {
    w.text(1, e.link);
    w.bytes(2, e.frame);
}, |_m| Ok(()));
plain!(Forward<'_>, 13, ANSWER_DONE -> (), |e, w| {
    w.text(1, e.link);
    w.text(2, e.key);
    w.bytes(3, e.frame);
    w.uint(4, e.until.map_or(0, |t| t.ms as u64));
}, |_m| Ok(()));
plain!(Sign<'_>, 14, ANSWER_BYTES -> Vec<u8>, |e, w| {
    w.text(1, e.key_ref);
    w.text(2, e.algorithm);
    w.bytes(3, e.data);
}, |m| bytes_of(&m, 1).map(<[u8]>::to_vec));
plain!(Verify<'_>, 15, ANSWER_BOOL -> bool, |e, w| {
    w.text(1, e.key_ref);
    w.text(2, e.algorithm);
    w.bytes(3, e.data);
    w.bytes(4, e.signature);
}, |m| Ok(uint_of(&m, 1)? != 0));
plain!(Mac<'_>, 16, ANSWER_BYTES -> Vec<u8>, |e, w| {
    w.text(1, e.key_ref);
    w.text(2, e.algorithm);
    w.bytes(3, e.data);
}, |m| bytes_of(&m, 1).map(<[u8]>::to_vec));
plain!(Encrypt<'_>, 17, ANSWER_BYTES -> Vec<u8>, |e, w| {
    w.text(1, e.key_ref);
    w.text(2, e.algorithm);
    w.bytes(3, e.data);
    w.bytes(4, e.additional);
}, |m| bytes_of(&m, 1).map(<[u8]>::to_vec));
plain!(Tokenize<'_>, 18, ANSWER_TEXT -> String, |e, w| {
    w.text(1, e.kind);
    w.text(2, e.value);
}, |m| owned(bytes_of(&m, 1)?));
plain!(Detokenize<'_>, 19, ANSWER_TEXT -> String, |e, w| w.text(1, e.token), |m| owned(bytes_of(&m, 1)?));
