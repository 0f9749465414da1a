//! A handler's only door to the world.

use crate::effect::*;
use crate::json::{Json, JsonError};
use crate::log::{self, Level};
use crate::step::{State, Step, UNDECODABLE};
use crate::time::{Duration, Time};
use crate::vars::Vars;
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

/// A handler's only door to the world. It belongs to one step; copy it freely
/// within one.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub(crate) step: &'a Step<'a>,
    pub(crate) state: &'a RefCell<State>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(step: &'a Step<'a>, state: &'a RefCell<State>) -> Context<'a> {
        Context { step, state }
    }

    /// The id of the tenant the trigger belongs to.
    pub fn tenant(self) -> &'a str {
        self.step.tenant
    }

    /// The tenant's configuration of this connector, a JSON object. Secrets in
    /// it are references: write them where they are needed as `{{secret:name}}`
    /// and the host substitutes them. Read it once, with
    /// [`PerConfig`](crate::PerConfig).
    pub fn config(self) -> Result<Json<'a>, JsonError> {
        if self.step.config.is_empty() {
            return Ok(Json::default());
        }
        Json::parse(self.step.config)
    }

    pub(crate) fn config_bytes(self) -> &'a [u8] {
        self.step.config
    }

    /// What the last checkpoint of this job kept; empty if there was none.
    pub fn state(self) -> &'a [u8] {
        self.step.state
    }

    /// The time at which the last answer came in, or at which the trigger was
    /// raised: the same in every run of one history.
    pub fn now(self) -> Time {
        let ms = match self.state.borrow().shown {
            0 => self.step.time_ms,
            n => self.step.history[n - 1].time_ms,
        };
        Time { ms }
    }

    /// 64 random bits, the same in every run of one history. They are fit for
    /// identifiers, not for keys: keys live in the host.
    pub fn random(self) -> u64 {
        self.with_random(|r| r.bits())
    }

    /// A random number below `n`, the same in every run of one history.
    pub fn random_below(self, n: u64) -> u64 {
        self.with_random(|r| r.below(n))
    }

    /// A random (version 4) UUID, the same in every run of one history.
    pub fn uuid(self) -> String {
        self.with_random(|r| r.uuid())
    }

    fn with_random<T>(self, draw: impl FnOnce(&mut crate::random::Random) -> T) -> T {
        let mut state = self.state.borrow_mut();
        draw(state.random.get_or_insert_with(|| crate::random::Random::new(self.step.seed)))
    }

    /// Reports, with the outcome, what became of a money effect that was in
    /// doubt: done, or certainly not done. Say it only when the other side has
    /// said it; the hub repeats an effect that is settled as not done.
    pub fn settle(self, key: &str, done: bool) {
        self.state.borrow_mut().settlements.push((key.to_string(), done));
    }

    /// Writes a line to the node's log: a message, then names and values. It is
    /// for whoever runs the connector; never log secrets or personal data. Lines
    /// that an earlier step has written already are not written again.
    pub fn log(self, level: Level, message: &str, values: &[(&str, &dyn Display)]) {
        if self.state.borrow().shown < self.step.history.len() {
            return;
        }
        log::line(level, message, values);
    }

    /// Calls an endpoint. Any status is a [`Response`], redirects included.
    pub fn http(self, call: Http<'_>) -> Asked<'a, Http<'_>> {
        self.ask(call)
    }

    /// Starts a payment. It is durable once it is answered.
    pub fn start_payment(self, start: StartPayment<'_>) -> Asked<'a, StartPayment<'_>> {
        self.ask(start)
    }

    /// Publishes a message; whether it was a duplicate, which is no error.
    pub fn publish(self, message: Message<'_>) -> Asked<'a, Message<'_>> {
        self.ask(message)
    }

    /// Reads a payment. One that does not exist is no error but `found: false`.
    pub fn query(self, query: Query<'_>) -> Asked<'a, Query<'_>> {
        self.ask(query)
    }

    /// Waits until the payment has ended, at most for the timeout; the host may
    /// shorten it.
    pub fn await_result(self, payment: &str, timeout: Duration) -> Asked<'a, AwaitResult<'_>> {
        self.ask(AwaitResult { payment, timeout })
    }

    /// Lets a job wait. It is durable: the wait survives the node.
    pub fn sleep(self, duration: Duration) -> Asked<'a, Sleep> {
        self.ask(Sleep { duration })
    }

    /// Draws the next number of a tenant's named sequence, from 1. Numbers are
    /// never drawn twice; some may be lost.
    pub fn sequence(self, name: &str) -> Asked<'a, Sequence<'_>> {
        self.ask(Sequence { name })
    }

    /// Puts an event on the payment's timeline.
    pub fn emit<'e>(self, name: &'e str, event: &'e Vars) -> Asked<'a, Emit<'e>> {
        self.ask(Emit { name, event })
    }

    /// Replaces the history so far by a state of at most 64 KiB and begins the
    /// handler anew, with [`Context::state`] returning it: it is answered only
    /// when it failed. A long job uses it to stay under the limit of 64 effects.
    pub fn checkpoint(self, state: &[u8]) -> Asked<'a, Checkpoint<'_>> {
        self.ask(Checkpoint { state })
    }

    /// Sends a frame over a link and waits for the one that answers it. Silence
    /// is doubt.
    pub fn round_trip(self, call: RoundTrip<'_>) -> Asked<'a, RoundTrip<'_>> {
        self.ask(call)
    }

    /// Sends a frame that nothing answers. That it is done says that it was
    /// written to the link, not that it arrived.
    pub fn send<'e>(self, link: &'e str, frame: &'e [u8]) -> Asked<'a, Send<'e>> {
        self.ask(Send { link, frame })
    }

    /// Hands a frame to the link's queue, which is in the log. That it is done
    /// says that it is in the queue.
    pub fn forward(self, frame: Forward<'_>) -> Asked<'a, Forward<'_>> {
        self.ask(frame)
    }

    /// Signs with one of the manifest's keys. Algorithms have the names of
    /// RFC 7518 and those that core/keys lists.
    pub fn sign<'e>(self, key_ref: &'e str, algorithm: &'e str, data: &'e [u8]) -> Asked<'a, Sign<'e>> {
        self.ask(Sign { key_ref, algorithm, data })
    }

    /// Whether the signature is good.
    pub fn verify<'e>(
        self, key_ref: &'e str, algorithm: &'e str, data: &'e [u8], signature: &'e [u8],
    ) -> Asked<'a, Verify<'e>> {
        self.ask(Verify { key_ref, algorithm, data, signature })
    }

    /// Authenticates with one of the manifest's symmetric keys.
    pub fn mac<'e>(self, key_ref: &'e str, algorithm: &'e str, data: &'e [u8]) -> Asked<'a, Mac<'e>> {
        self.ask(Mac { key_ref, algorithm, data })
    }

    /// Encrypts with one of the manifest's keys; `additional` is authenticated
    /// and not encrypted.
    pub fn encrypt<'e>(
        self, key_ref: &'e str, algorithm: &'e str, data: &'e [u8], additional: &'e [u8],
    ) -> Asked<'a, Encrypt<'e>> {
        self.ask(Encrypt { key_ref, algorithm, data, additional })
    }

    /// The tenant's token of a value, the same for the same kind and value.
    pub fn tokenize<'e>(self, kind: &'e str, value: &'e str) -> Asked<'a, Tokenize<'e>> {
        self.ask(Tokenize { kind, value })
    }

    /// The value of a token.
    pub fn detokenize(self, token: &str) -> Asked<'a, Detokenize<'_>> {
        self.ask(Detokenize { token })
    }

    fn ask<E>(self, effect: E) -> Asked<'a, E> {
        Asked { ctx: self, effect, place: None }
    }
}

/// An effect, to be awaited. It is asked for when it is first polled, in the
/// order in which that happens.
#[must_use = "an effect is asked for when it is awaited"]
pub struct Asked<'a, E> {
    ctx: Context<'a>,
    effect: E,
    place: Option<usize>,
}

impl<'a, E: Effect<'a> + Unpin> Future for Asked<'a, E> {
    type Output = Result<E::Answer, Error>;

    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let asked = self.get_mut();
        let (ctx, effect) = (asked.ctx, &asked.effect);
        let mut state = ctx.state.borrow_mut();
        let place =
            *asked.place.get_or_insert_with(|| state.ask(ctx.step, E::FIELD, |w| effect.encode(w)));
        if place >= state.shown {
            return Poll::Pending;
        }
        let answer = ctx.step.history[place].answer.bytes();
        let read = decode_answer(answer).and_then(|(kind, message)| match lost::<E>(kind) {
            Some(doubt) => Ok(Err(doubt)),
            None => E::answer(kind, message),
        });
        match read {
            Ok(result) => Poll::Ready(result),
            Err(_) => {
                state.fail(UNDECODABLE);
                Poll::Pending
            }
        }
    }
}

/// An Answer's kind, the last one given, and what is in it.
fn decode_answer(message: &[u8]) -> Result<(u32, Cow<'_, [u8]>), crate::wire::Malformed> {
    let (mut kind, mut inside) = (0, Cow::Borrowed(&[][..]));
    for field in crate::wire::fields(message) {
        let field = field?;
        if field.number == kind {
            inside.to_mut().extend_from_slice(field.bytes()?);
        } else {
            (kind, inside) = (field.number, Cow::Borrowed(field.bytes()?));
        }
    }
    Ok((kind, inside))
}
