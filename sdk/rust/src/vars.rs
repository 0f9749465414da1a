//! Named JSON values: the variables of a job, and the objects that connectors
//! write.

use crate::json::{write_string, Json};
use crate::wire::Writer;
use std::borrow::Cow;

/// Named JSON values, written in ascending order of their names. Build them
/// with [`vars!`](crate::vars):
///
/// ```
/// let body = railhead::vars! { "currency": "TZS", "amount": "12.50", "lines": vec![1, 2] };
/// assert_eq!(body.json(), br#"{"amount":"12.50","currency":"TZS","lines":[1,2]}"#);
/// ```
///
/// Floating-point numbers have no [`ToJson`]: amounts of money are strings.
#[derive(Clone, Debug, Default)]
pub struct Vars {
    /// For each value: the lengths of name and JSON, four bytes each, and both.
    packed: Vec<u8>,
    last: usize, // where the last one begins
    disordered: bool,
}

/// A value that can be written as JSON.
pub trait ToJson {
    fn write_json(&self, out: &mut Vec<u8>);
}

impl Vars {
    pub fn new() -> Vars {
        Vars::default()
    }

    /// Sets a value; one of the same name is replaced.
    pub fn set<V: ToJson + ?Sized>(&mut self, name: &str, value: &V) {
        if self.packed.is_empty() {
            self.packed.reserve(512);
        } else if self.at(self.last).0 >= name.as_bytes() {
            self.disordered = true;
        }
        self.last = self.packed.len();
        self.packed.extend_from_slice(&(name.len() as u32).to_le_bytes());
        self.packed.extend_from_slice(&[0; 4]);
        self.packed.extend_from_slice(name.as_bytes());
        let from = self.packed.len();
        value.write_json(&mut self.packed);
        let length = (self.packed.len() - from) as u32;
        self.packed[self.last + 4..self.last + 8].copy_from_slice(&length.to_le_bytes());
    }

    /// Sets a value, in a chain.
    #[must_use]
    pub fn with<V: ToJson>(mut self, name: &str, value: V) -> Vars {
        self.set(name, &value);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// The object's text.
    pub fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.packed.len() + 2);
        self.write_json(&mut out);
        out
    }

    /// Name, JSON and end of the one that begins there.
    fn at(&self, at: usize) -> (&[u8], &[u8], usize) {
        let length = |at: usize| {
            let b = &self.packed[at..at + 4];
            u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize
        };
        let name = at + 8;
        let json = name + length(at);
        let end = json + length(at + 4);
        (&self.packed[name..json], &self.packed[json..end], end)
    }

    /// Calls `f` with every name and its JSON, ascending.
    fn each(&self, mut f: impl FnMut(&[u8], &[u8])) {
        let mut at = 0;
        if !self.disordered {
            while at < self.packed.len() {
                let (name, json, end) = self.at(at);
                f(name, json);
                at = end;
            }
            return;
        }
        let mut all = Vec::new();
        while at < self.packed.len() {
            let (name, json, end) = self.at(at);
            all.push((name, json));
            at = end;
        }
        all.sort_by_key(|(name, _)| *name); // equal names stay in the order of setting
        for (i, (name, json)) in all.iter().enumerate() {
            if all.get(i + 1).map_or(true, |(next, _)| next != name) {
                f(name, json);
            }
        }
    }

    /// About how many bytes `encode` writes.
    pub(crate) fn about(&self) -> usize {
        self.packed.len()
    }

    /// Writes the variables as fields of that number.
    pub(crate) fn encode(&self, w: &mut Writer, number: u32) {
        self.each(|name, json| w.pair(number, name, json));
    }
}

impl ToJson for Vars {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        self.each(|name, json| {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            // It was given as a text.
            write_string(out, std::str::from_utf8(name).unwrap_or_default());
            out.push(b':');
            out.extend_from_slice(json);
        });
        out.push(b'}');
    }
}

/// Makes [`Vars`](crate::Vars) of names and values: `vars! { "accepted": true }`.
#[macro_export]
macro_rules! vars {
    ($($name:literal : $value:expr),* $(,)?) => {{
        #[allow(unused_mut)]
        let mut vars = $crate::Vars::new();
        $(vars.set($name, &$value);)*
        vars
    }};
}

impl ToJson for str {
    fn write_json(&self, out: &mut Vec<u8>) {
        write_string(out, self);
    }
}

impl ToJson for String {
    fn write_json(&self, out: &mut Vec<u8>) {
        write_string(out, self);
    }
}

impl ToJson for Cow<'_, str> {
    fn write_json(&self, out: &mut Vec<u8>) {
        write_string(out, self);
    }
}

impl ToJson for bool {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

/// A value that was read is written as it stands; one that is missing is null.
impl ToJson for Json<'_> {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.raw().is_empty() { b"null" } else { self.raw().as_bytes() });
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write_json(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl<T: ToJson> ToJson for [T] {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (i, value) in self.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            value.write_json(out);
        }
        out.push(b']');
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn write_json(&self, out: &mut Vec<u8>) {
        self.as_slice().write_json(out);
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn write_json(&self, out: &mut Vec<u8>) {
        (**self).write_json(out);
    }
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl ToJson for $t {
            fn write_json(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.to_string().as_bytes());
            }
        }
    )*};
}
integers!(i8 i16 i32 i64 u8 u16 u32 u64 usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ascend_and_the_last_of_equals_counts() {
        let vars = vars! { "b": 1, "a": "x\"\u{1}", "b": false, "c": vars! {}, "": None::<bool> };
        assert_eq!(vars.json(), br#"{"":null,"a":"x\"\u0001","b":false,"c":{}}"#);
    }

    #[test]
    fn what_was_read_is_written_as_it_stands() {
        let text = Json::parse(br#"{"a": [1.50, null]}"#).unwrap();
        let vars = vars! { "j": text.get("a"), "k": text.get("nothing"), "l": [true, false][..] };
        assert_eq!(vars.json(), br#"{"j":[1.50, null],"k":null,"l":[true,false]}"#);
    }
}
