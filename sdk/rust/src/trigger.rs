//! What sets a connector going.

use crate::json::{Json, JsonError};
use crate::time::Time;
use crate::wire::{fields, lookup, pair, Malformed};
use std::borrow::Cow;

/// One activation of a flow's task, or one run of a schedule.
#[derive(Clone, Debug, Default)]
pub struct Job<'a> {
    /// As the manifest writes it, "{tenant}" included.
    pub job_type: &'a str,
    /// The payment's UUID.
    pub payment: &'a str,
    /// Counts from 1.
    pub attempt: u32,
    /// How many attempts may follow.
    pub retries: u32,
    /// BPMN id of the task.
    pub element: &'a str,
    /// BPMN id of the process.
    pub flow: &'a str,
    pub payment_started: Time,
    /// Money effects that earlier attempts left in doubt.
    pub prior: Vec<Prior<'a>>,
    variables: Vec<(&'a [u8], &'a [u8])>,
    encoded: &'a [u8],
}

/// A money effect in doubt.
#[derive(Clone, Copy, Debug)]
pub struct Prior<'a> {
    pub key: &'a str,
    /// The UUID that was on the wire.
    pub idempotency_key: &'a str,
}

impl<'a> Job<'a> {
    pub(crate) fn decode(message: &'a [u8]) -> Result<Job<'a>, Malformed> {
        let mut job = Job { encoded: message, ..Job::default() };
        job.variables.reserve(16);
        for field in fields(message) {
            let field = field?;
            match field.number {
                1 => job.job_type = field.text()?,
                2 => job.payment = field.text()?,
                3 => job.attempt = field.uint()? as u32,
                4 => job.retries = field.uint()? as u32,
                5 => job.variables.push(pair(field.bytes()?)?),
                6 => drop(field.bytes()?),
                7 => {
                    let (key, idempotency_key) = texts(field.bytes()?)?;
                    job.prior.push(Prior { key, idempotency_key });
                }
                8 => job.element = field.text()?,
                9 => job.flow = field.text()?,
                10 => job.payment_started = Time { ms: field.uint()? as i64 },
                _ => {}
            }
        }
        Ok(job)
    }

    /// A task header of the flow's element; empty if there is none.
    pub fn header(&self, name: &str) -> &'a str {
        text(lookup(self.encoded, 6, name))
    }

    /// The money effect of that key which an earlier attempt left in doubt, if
    /// there is one.
    pub fn doubt(&self, key: &str) -> Option<Prior<'a>> {
        self.prior.iter().find(|p| p.key == key).copied()
    }

    /// Whether the variable exists and is not null.
    pub fn has(&self, name: &str) -> bool {
        self.json(name).exists()
    }

    /// A variable. It is missing if the job does not have it.
    pub fn json(&self, name: &str) -> Json<'a> {
        let found = self.variables.iter().find(|(n, _)| *n == name.as_bytes());
        // The host gives JSON; anything else is as good as nothing.
        found.and_then(|(_, json)| Json::parse(json).ok()).unwrap_or_default()
    }

    /// A variable's text: of a string what it says, of a number or boolean its
    /// JSON, else empty.
    pub fn text(&self, name: &str) -> Cow<'a, str> {
        self.json(name).text()
    }

    /// An integer variable, written as a number or as a string.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.json(name).int()
    }

    /// Whether the variable is true; anything else is not.
    pub fn is_true(&self, name: &str) -> bool {
        self.json(name).is_true()
    }

    /// Names and values of all variables, in the order the host gives them.
    pub fn variables(&self) -> impl Iterator<Item = (&'a str, Json<'a>)> + '_ {
        self.variables.iter().map(|(name, json)| (text(Some(name)), Json::parse(json).unwrap_or_default()))
    }
}

fn texts(message: &[u8]) -> Result<(&str, &str), Malformed> {
    let (first, second) = pair(message)?;
    let text = |b| std::str::from_utf8(b).map_err(|_| Malformed);
    Ok((text(first)?, text(second)?))
}

fn text(found: Option<&[u8]>) -> &str {
    found.and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
}

/// An HTTP request from outside on one of the connector's routes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The manifest's name of the route.
    pub route: &'a str,
    pub method: &'a str,
    pub path: &'a str,
    pub body: &'a [u8],
    encoded: &'a [u8],
}

impl<'a> Request<'a> {
    pub(crate) fn decode(message: &'a [u8]) -> Result<Request<'a>, Malformed> {
        let mut request = Request { encoded: message, ..Request::default() };
        for field in fields(message) {
            let field = field?;
            match field.number {
                1 => request.route = field.text()?,
                2 => request.method = field.text()?,
                3 => request.path = field.text()?,
                4..=6 => drop(pair(field.bytes()?)?),
                7 => request.body = field.bytes()?,
                _ => {}
            }
        }
        Ok(request)
    }

    /// The path segment that stands at {name} in the route, unescaped.
    pub fn param(&self, name: &str) -> &'a str {
        text(lookup(self.encoded, 4, name))
    }

    /// The first query parameter of that name, unescaped.
    pub fn query(&self, name: &str) -> &'a str {
        text(lookup(self.encoded, 5, name))
    }

    /// The first header of that name, in whatever case.
    pub fn header(&self, name: &str) -> &'a str {
        text(lookup(self.encoded, 6, &name.to_ascii_lowercase()))
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Json<'a>, JsonError> {
        Json::parse(self.body)
    }
}

/// What came over a link, or what happened to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame<'a> {
    pub link: &'a str,
    /// Without its framing; empty with an event other than `Came`.
    pub data: &'a [u8],
    pub event: LinkEvent,
}

/// What happened to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// A frame came.
    Came,
    /// The link is connected, on a new leader too.
    Opened,
    /// Nothing came for the link's idle_ms.
    Idle,
    /// One that this SDK does not know yet.
    Other(u32),
}

impl Default for LinkEvent {
    fn default() -> Self {
        LinkEvent::Came
    }
}

impl<'a> Frame<'a> {
    pub(crate) fn decode(message: &'a [u8]) -> Result<Frame<'a>, Malformed> {
        let mut frame = Frame::default();
        for field in fields(message) {
            let field = field?;
            match field.number {
                1 => frame.link = field.text()?,
                2 => frame.data = field.bytes()?,
                3 => {
                    frame.event = match field.uint()? as u32 {
                        0 => LinkEvent::Came,
                        1 => LinkEvent::Opened,
                        2 => LinkEvent::Idle,
                        n => LinkEvent::Other(n),
                    }
                }
                _ => {}
            }
        }
        Ok(frame)
    }
}
