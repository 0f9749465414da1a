//! Starting payments, telling them something, and asking about them.

use crate::effect::*;
use crate::json::Json;
use crate::time::{millis, Duration, Time};
use crate::vars::Vars;
use crate::wire::{fields, lookup, pair, Malformed, Writer};
use std::borrow::Cow;

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
