//! What a connector may ask the host for, and what it is answered.

use crate::time::{millis, Duration, Time};
use crate::vars::{ToJson, Vars};
use crate::wire::{fields, pair, Malformed, Writer};
use std::borrow::Cow;
use std::fmt;

pub use crate::http::*;
pub use crate::payment::*;

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

pub(crate) const ANSWER_NONE: u32 = 0;
pub(crate) const ANSWER_HTTP: u32 = 1;
pub(crate) const ANSWER_START: u32 = 2;
pub(crate) const ANSWER_PUBLISH: u32 = 3;
pub(crate) const ANSWER_QUERY: u32 = 4;
pub(crate) const ANSWER_IN_DOUBT: u32 = 5;
pub(crate) const ANSWER_FAILURE: u32 = 6;
pub(crate) const ANSWER_SEQUENCE: u32 = 7;
pub(crate) const ANSWER_BYTES: u32 = 8;
pub(crate) const ANSWER_BOOL: u32 = 9;
pub(crate) const ANSWER_DONE: u32 = 10;
pub(crate) const ANSWER_TEXT: u32 = 11;

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
pub(crate) fn other(kind: u32, message: &[u8]) -> Result<Error, Malformed> {
    let (first, second) = pair(message)?;
    let text = |b: &[u8]| String::from_utf8(b.to_vec()).map_err(|_| Malformed);
    Ok(match kind {
        ANSWER_FAILURE => Error::Failure(Failure { code: text(first)?, text: text(second)? }),
        ANSWER_IN_DOUBT => Error::InDoubt(InDoubt { idempotency_key: text(first)?, reason: text(second)? }),
        // A host's mistake; for the connector the effect got no answer.
        _ => something_else(),
    })
}

pub(crate) fn something_else() -> Error {
    Error::Failure(Failure { code: code::INVALID.to_string(), text: "the host answered with something else".to_string() })
}

/// Reads an answer of the kind with `read`, and any other as an error.
pub(crate) fn expect<'a, T>(
    want: u32, kind: u32, message: Cow<'a, [u8]>, read: impl FnOnce(Cow<'a, [u8]>) -> Result<T, Malformed>,
) -> Result<Result<T, Error>, Malformed> {
    match kind {
        _ if kind == want => read(message).map(Ok),
        ANSWER_FAILURE | ANSWER_IN_DOUBT => other(kind, &message).map(Err),
        _ => Ok(Err(something_else())),
    }
}

pub(crate) fn owned(bytes: &[u8]) -> Result<String, Malformed> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed)
}

/// The last bytes field of that number.
pub(crate) fn bytes_of(message: &[u8], number: u32) -> Result<&[u8], Malformed> {
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
pub(crate) fn uint_of(message: &[u8], number: u32) -> Result<u64, Malformed> {
    let mut found = 0;
    for field in fields(message) {
        let field = field?;
        if field.number == number {
            found = field.uint()?;
        }
    }
    Ok(found)
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
