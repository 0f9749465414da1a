//! How a handler ends.

use crate::time::{millis, Duration};
use crate::vars::Vars;
use crate::wire::Writer;
use std::borrow::Cow;

/// How a job's attempt ends.
#[derive(Clone, Debug)]
#[must_use]
pub struct Outcome(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Complete(Vars),
    Fail { code: String, reason: String, retry_ms: Option<u64> },
    BpmnError { code: String, message: String, variables: Vars },
    Doubt { key: String, reason: String },
}

impl Outcome {
    /// Ends the job; the variables go to the flow.
    pub fn complete(variables: Vars) -> Outcome {
        Outcome(Kind::Complete(variables))
    }

    /// Ends the attempt and opens an incident, unless [`Outcome::retry`]
    /// follows. The code is the connector's own, in capitals; the reason is for
    /// people.
    pub fn fail(code: impl Into<String>, reason: impl Into<String>) -> Outcome {
        Outcome(Kind::Fail { code: code.into(), reason: reason.into(), retry_ms: None })
    }

    /// Makes a failed attempt retryable, not before the backoff has passed
    /// (zero: the flow's own). Other outcomes are left as they are.
    pub fn retry(mut self, backoff: Duration) -> Outcome {
        if let Kind::Fail { retry_ms, .. } = &mut self.0 {
            *retry_ms = Some(millis(backoff));
        }
        self
    }

    /// Ends the job with an error that the flow may catch by its code.
    pub fn bpmn_error(code: impl Into<String>, message: impl Into<String>) -> Outcome {
        Outcome(Kind::BpmnError { code: code.into(), message: message.into(), variables: Vars::new() })
    }

    /// Adds variables to a BPMN error. Other outcomes are left as they are.
    pub fn with(mut self, given: Vars) -> Outcome {
        if let Kind::BpmnError { variables, .. } = &mut self.0 {
            *variables = given;
        }
        self
    }

    /// Leaves the money effect of that key to a person: an incident opens and
    /// nothing is repeated.
    pub fn doubtful(key: impl Into<String>, reason: impl Into<String>) -> Outcome {
        Outcome(Kind::Doubt { key: key.into(), reason: reason.into() })
    }

    /// About how many bytes `encode` writes.
    pub(crate) fn about(&self) -> usize {
        match &self.0 {
            Kind::Complete(variables) | Kind::BpmnError { variables, .. } => variables.about(),
            _ => 0,
        }
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        match &self.0 {
            Kind::Complete(variables) => {
                let at = w.begin_about(1, variables.about());
                variables.encode(w, 1);
                w.end(at);
            }
            Kind::Fail { code, reason, retry_ms } => {
                let at = w.begin(2);
                w.bool(1, retry_ms.is_some());
                w.uint(2, retry_ms.unwrap_or(0));
                w.text(3, reason);
                w.text(4, code);
                w.end(at);
            }
            Kind::BpmnError { code, message, variables } => {
                let at = w.begin(3);
                w.text(1, code);
                w.text(2, message);
                variables.encode(w, 3);
                w.end(at);
            }
            Kind::Doubt { key, reason } => {
                let at = w.begin(4);
                w.text(1, key);
                w.text(2, reason);
                w.end(at);
            }
        }
    }
}

/// Lets a handler use `?` with outcomes of its own.
impl<E: Into<Outcome>> From<Result<Outcome, E>> for Outcome {
    fn from(result: Result<Outcome, E>) -> Outcome {
        result.unwrap_or_else(Into::into)
    }
}

/// Answers an HTTP request.
#[derive(Clone, Debug)]
#[must_use]
pub struct Reply {
    status: u16,
    headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    body: Vec<u8>,
}

impl Reply {
    pub fn new(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A reply with a JSON body.
    pub fn json(status: u16, body: &Vars) -> Reply {
        Reply::new(status).header("content-type", "application/json").body(body.json())
    }

    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> Reply {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Reply {
        self.body = body.into();
        self
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        let at = w.begin(5);
        w.uint(1, u64::from(self.status));
        encode_headers(w, 2, &self.headers);
        w.bytes(3, &self.body);
        w.end(at);
    }
}

/// Lets a handler use `?` with replies of its own.
impl<E: Into<Reply>> From<Result<Reply, E>> for Reply {
    fn from(result: Result<Reply, E>) -> Reply {
        result.unwrap_or_else(Into::into)
    }
}

/// Headers are written by ascending name; those of one name in the order given.
pub(crate) fn encode_headers(w: &mut Writer, number: u32, headers: &[(Cow<'_, str>, Cow<'_, str>)]) {
    let mut sorted: Vec<_> = headers.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, value) in sorted {
        w.pair(number, name.as_bytes(), value.as_bytes());
    }
}

/// The frames that go out over a link, in order, in answer to one.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Frames(pub Vec<Vec<u8>>);

impl Frames {
    /// Nothing goes out.
    pub fn none() -> Frames {
        Frames::default()
    }

    /// One frame goes out.
    pub fn one(frame: impl Into<Vec<u8>>) -> Frames {
        Frames(vec![frame.into()])
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        let at = w.begin(6);
        for frame in &self.0 {
            w.always(1, frame);
        }
        w.end(at);
    }
}
