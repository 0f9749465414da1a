//! One step: decoding the request, running the handler in rounds, and the reply.

use crate::context::Context;
use crate::outcome::{Frames, Outcome, Reply};
use crate::trigger::{Frame, Job, Request};
use crate::wire::{digest, fields, Malformed, Merged, Writer};
use std::cell::RefCell;
use std::future::Future;
use std::ptr;
use std::task::{Poll, RawWaker, RawWakerVTable, Waker};

/// What `connector!` makes of an author's handlers: each method runs the one
/// that serves the trigger, or returns what such a connector says when none
/// does.
pub trait Connector {
    fn job<'a>(ctx: Context<'a>, job: Job<'a>) -> Option<Outcome>;
    fn schedule<'a>(ctx: Context<'a>, name: &'a str, job: Job<'a>) -> Option<Outcome>;
    fn route<'a>(ctx: Context<'a>, request: Request<'a>) -> Option<Reply>;
    fn frame<'a>(ctx: Context<'a>, frame: Frame<'a>) -> Option<Frames>;
    fn frame_key<'a>(ctx: Context<'a>, link: &'a str, data: &'a [u8]) -> String;
}

/// A decoded StepRequest.
pub(crate) struct Step<'a> {
    pub config: &'a [u8],
    pub tenant: &'a str,
    pub seed: &'a [u8],
    pub state: &'a [u8],
    pub time_ms: i64,
    pub history: Vec<Entry<'a>>,
    /// How many entries of the history lie behind the checkpoint it begins with,
    /// itself included, and the ordinal of the first effect after them.
    pub start: usize,
    pub first: u32,
}

/// One answered effect; the answer is decoded when it is asked for.
#[derive(Default)]
pub(crate) struct Entry<'a> {
    pub ordinal: u32,
    pub digest: u64,
    pub time_ms: i64,
    pub answer: Merged<'a>,
}

impl<'a> Entry<'a> {
    fn decode(message: &'a [u8]) -> Result<Entry<'a>, Malformed> {
        let mut entry = Entry::default();
        for field in fields(message) {
            let field = field?;
            match field.number {
                1 => entry.ordinal = field.uint()? as u32,
                2 => entry.digest = field.fixed64()?,
                3 => entry.time_ms = field.uint()? as i64,
                4 => entry.answer.add(field.bytes()?),
                _ => {}
            }
        }
        Ok(entry)
    }
}

/// What changes while the handler runs.
///
/// Futures may wait side by side, so it must not depend on which answers are
/// there already in what order effects are asked for. Therefore the handler runs
/// in rounds: an answer is shown only once all effects of its round are
/// answered, which is how they were asked for the first time.
pub(crate) struct State {
    pub asked: usize, // entries that are consumed, and effects without one
    pub shown: usize, // entries whose answers the handler may see
    pub reply: Writer, // the effects that wait
    pub waiting: usize,
    pub settlements: Vec<(String, bool)>,
    pub random: Option<crate::random::Random>,
    scratch: Writer,
    /// The reply is finished: a mismatch, or the connector's own error.
    pub ended: bool,
}

/// As many effects as one reply may hold.
const EFFECTS_MAX: usize = 16;

impl State {
    /// Takes down an effect, and returns the place of its answer in the history.
    pub fn ask(&mut self, step: &Step<'_>, kind: u32, encode: impl Fn(&mut Writer)) -> usize {
        let place = self.asked;
        self.asked += 1;
        if self.ended {
            return usize::MAX;
        }
        let ordinal = step.first.wrapping_add((place - step.start) as u32);
        let write = |w: &mut Writer| {
            w.uint(1, u64::from(ordinal));
            let at = w.begin(kind);
            encode(w);
            w.end(at);
        };
        match step.history.get(place) {
            None if self.waiting < EFFECTS_MAX => {
                self.waiting += 1;
                let at = self.reply.begin(REPLY_EFFECTS);
                write(&mut self.reply);
                self.reply.end(at);
            }
            None => {} // it is asked for in the next step, whose history is longer
            Some(entry) => {
                self.scratch.out.clear();
                write(&mut self.scratch);
                let got = digest(&self.scratch.out);
                if entry.ordinal != ordinal || entry.digest != got {
                    self.mismatch(ordinal, entry.digest, got);
                }
            }
        }
        place
    }

    fn mismatch(&mut self, ordinal: u32, want: u64, got: u64) {
        self.ended = true;
        self.reply.out.clear();
        let at = self.reply.begin(REPLY_MISMATCH);
        self.reply.uint(1, u64::from(ordinal));
        self.reply.fixed64(2, want);
        self.reply.fixed64(3, got);
        self.reply.bytes(4, &self.scratch.out);
        self.reply.end(at);
    }

    /// Ends the step with the connector's own error.
    pub fn fail(&mut self, text: &str) {
        if !self.ended {
            self.ended = true;
            self.reply.out.clear();
            self.reply.text(REPLY_ERROR, text);
        }
    }
}

const REPLY_EFFECTS: u32 = 1;
const REPLY_OUTCOME: u32 = 2;
const REPLY_MISMATCH: u32 = 3;
const REPLY_ERROR: u32 = 4;

pub(crate) const UNDECODABLE: &str = "the step request does not decode: it is not valid Protocol Buffers";

/// Runs one step: an encoded StepRequest in, an encoded StepReply out. The reply
/// is written into `room`.
pub fn step<C: Connector>(request: &[u8], mut room: Vec<u8>) -> Vec<u8> {
    room.clear();
    match run::<C>(request, room) {
        Ok(reply) => reply,
        Err(Malformed) => {
            let mut reply = Writer::default();
            reply.text(REPLY_ERROR, UNDECODABLE);
            reply.out
        }
    }
}

fn run<C: Connector>(request: &[u8], room: Vec<u8>) -> Result<Vec<u8>, Malformed> {
    let mut step = Step {
        config: &[],
        tenant: "",
        seed: &[],
        state: &[],
        time_ms: 0,
        history: Vec::new(),
        start: 0,
        first: 1,
    };
    let mut envelope = Merged::default();
    for field in fields(request) {
        let field = field?;
        match field.number {
            1 => step.config = field.bytes()?,
            2 => envelope.add(field.bytes()?),
            3 => step.history.push(Entry::decode(field.bytes()?)?),
            4 => step.seed = field.bytes()?,
            5 => step.state = field.bytes()?,
            _ => {}
        }
    }
    let (mut kind, mut trigger) = (0, Merged::default());
    for field in fields(envelope.bytes()) {
        let field = field?;
        match field.number {
            1 => step.time_ms = field.uint()? as i64,
            2 => step.tenant = field.text()?,
            number @ TRIGGER_JOB..=TRIGGER_SCHEDULE => {
                if number != kind {
                    trigger = Merged::default();
                }
                kind = number;
                trigger.add(field.bytes()?);
            }
            _ => {}
        }
    }
    // A history that begins with a checkpoint is taken up behind it.
    if !step.state.is_empty() {
        if let Some(checkpoint) = step.history.first() {
            step.first = checkpoint.ordinal.wrapping_add(1);
            step.start = 1;
        }
    }
    let state = RefCell::new(State {
        asked: step.start,
        shown: step.start,
        reply: Writer { out: room },
        waiting: 0,
        settlements: Vec::new(),
        random: None,
        scratch: Writer::default(),
        ended: false,
    });
    let ended = handle::<C>(Context::new(&step, &state), kind, trigger.bytes())?;
    let mut state = state.into_inner();
    if let Some(write) = ended {
        finish(&step, &mut state, write);
    }
    Ok(state.reply.out)
}

const TRIGGER_JOB: u32 = 3;
const TRIGGER_HTTP: u32 = 4;
const TRIGGER_FRAME: u32 = 5;
const TRIGGER_FRAME_KEY: u32 = 6;
const TRIGGER_SCHEDULE: u32 = 7;

/// Runs the handler. Nothing is returned if it waits.
fn handle<'a, C: Connector>(ctx: Context<'a>, kind: u32, trigger: &'a [u8]) -> Result<Option<Ended>, Malformed> {
    Ok(match kind {
        TRIGGER_JOB => C::job(ctx, Job::decode(trigger)?).map(Ended::Job),
        TRIGGER_SCHEDULE => {
            let (mut name, mut job) = ("", Merged::default());
            for field in fields(trigger) {
                let field = field?;
                match field.number {
                    1 => name = field.text()?,
                    2 => job.add(field.bytes()?),
                    _ => {}
                }
            }
            return Ok(scheduled::<C>(ctx, name, job.bytes())?.map(Ended::Job));
        }
        TRIGGER_HTTP => C::route(ctx, Request::decode(trigger)?).map(Ended::Request),
        TRIGGER_FRAME => C::frame(ctx, Frame::decode(trigger)?).map(Ended::Frame),
        TRIGGER_FRAME_KEY => {
            let frame = Frame::decode(trigger)?;
            Some(Ended::FrameKey(C::frame_key(ctx, frame.link, frame.data)))
        }
        _ => Some(Ended::Job(Outcome::fail("UNKNOWN_TRIGGER", "this connector does not know the trigger"))),
    })
}

/// The job of a schedule may lie in pieces that were joined for this step only.
fn scheduled<C: Connector>(ctx: Context<'_>, name: &str, job: &[u8]) -> Result<Option<Outcome>, Malformed> {
    Ok(C::schedule(ctx, name, Job::decode(job)?))
}

enum Ended {
    Job(Outcome),
    Request(Reply),
    Frame(Frames),
    FrameKey(String),
}

/// Replies with the outcome, or with what is left of the history.
fn finish(step: &Step<'_>, state: &mut State, ended: Ended) {
    if state.ended {
        return; // the handler ended in the very round of a mismatch
    }
    if let Some(entry) = step.history.get(state.asked) {
        state.scratch.out.clear();
        return state.mismatch(entry.ordinal, entry.digest, 0);
    }
    let settlements = std::mem::take(&mut state.settlements);
    let w = &mut state.reply;
    w.out.clear();
    let about = match &ended {
        Ended::Job(outcome) => outcome.about(),
        _ => 0,
    };
    let at = w.begin_about(REPLY_OUTCOME, about);
    match ended {
        Ended::Job(outcome) => outcome.encode(w),
        Ended::Request(reply) => reply.encode(w),
        Ended::Frame(frames) => frames.encode(w),
        Ended::FrameKey(key) => {
            let at = w.begin(7);
            w.text(1, &key);
            w.end(at);
        }
    }
    for (key, done) in &settlements {
        let at = w.begin(8);
        w.text(1, key);
        w.bool(2, *done);
        w.end(at);
    }
    w.end(at);
}

impl<'a> Context<'a> {
    /// Polls a handler, round after round. Nothing is returned once an effect
    /// waits for its answer, or the step has ended otherwise.
    #[doc(hidden)]
    pub fn run<T>(self, handler: impl Future<Output = T>) -> Option<T> {
        let mut handler = handler;
        // SAFETY: the future is shadowed, so that nothing can move it any more.
        let mut handler = unsafe { std::pin::Pin::new_unchecked(&mut handler) };
        let waker = nobody();
        let mut task = std::task::Context::from_waker(&waker);
        loop {
            let polled = handler.as_mut().poll(&mut task);
            let mut state = self.state.borrow_mut();
            match polled {
                _ if state.ended => return None,
                Poll::Ready(value) => return Some(value),
                Poll::Pending if state.asked > self.step.history.len() => return None,
                Poll::Pending if state.asked == state.shown => {
                    state.fail("the handler waits for something that is no effect");
                    return None;
                }
                Poll::Pending => state.shown = state.asked,
            }
        }
    }
}

/// A waker that wakes nobody: the next poll is the next round.
fn nobody() -> Waker {
    const TABLE: RawWakerVTable = RawWakerVTable::new(|_| RAW, |_| {}, |_| {}, |_| {});
    const RAW: RawWaker = RawWaker::new(ptr::null(), &TABLE);
    // SAFETY: none of the functions looks at the pointer.
    unsafe { Waker::from_raw(RAW) }
}
