//! Calls of endpoints.

use crate::effect::*;
use crate::json::{Json, JsonError};
use crate::outcome::encode_headers;
use crate::time::{millis, Duration};
use crate::wire::{fields, lookup, pair, Malformed, Writer};
use std::borrow::Cow;

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

    pub(crate) fn encode(&self, w: &mut Writer, number: u32) {
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
