//! JSON, as much of it as connectors need: reading by looking into the text,
//! and writing strings. Numbers stay text, since money is never a float.

use std::borrow::Cow;

/// How deep arrays and objects may stand in each other.
pub const DEPTH_MAX: usize = 128;

/// A JSON value inside a text that has been checked as a whole, or nothing at
/// all: looking for what is not there gives a `Json` that is missing, so that
/// `body.get("payer").get("id").text()` needs no checks on the way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json<'a> {
    text: &'a str, // without blanks around it; empty if missing
}

/// Where a text stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Bytes before the mistake.
    pub at: usize,
}

impl std::fmt::Display for JsonError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not JSON at byte {}", self.at)
    }
}

impl std::error::Error for JsonError {}

impl<'a> Json<'a> {
    /// Checks the whole text. Nothing but blanks is an error, and so is more
    /// than one value.
    pub fn parse(text: &'a [u8]) -> Result<Json<'a>, JsonError> {
        let text = match crate::wire::text(text) {
            Ok(text) => text,
            Err(_) => std::str::from_utf8(text).map_err(|e| JsonError { at: e.valid_up_to() })?,
        };
        let from = blanks(text.as_bytes(), 0);
        let end = check(text.as_bytes(), from, 0)?;
        let rest = blanks(text.as_bytes(), end);
        if rest != text.len() {
            return Err(JsonError { at: rest });
        }
        Ok(Json { text: &text[from..end] })
    }

    /// The value's own text; empty if it is missing.
    pub fn raw(self) -> &'a str {
        self.text
    }

    /// Whether there is a value other than null.
    pub fn exists(self) -> bool {
        !self.text.is_empty() && self.text != "null"
    }

    pub fn is_object(self) -> bool {
        self.text.starts_with('{')
    }

    pub fn is_array(self) -> bool {
        self.text.starts_with('[')
    }

    pub fn is_string(self) -> bool {
        self.text.starts_with('"')
    }

    pub fn is_number(self) -> bool {
        self.text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
    }

    /// An object's member; the last one, if there are several of the name.
    pub fn get(self, name: &str) -> Json<'a> {
        let mut found = Json::default();
        for (key, value) in self.members() {
            if key == name {
                found = value;
            }
        }
        found
    }

    /// An object's members in the order of the text; none of anything else.
    pub fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Json<'a>)> {
        let mut walk = Walk::new(self.text, '{');
        std::iter::from_fn(move || {
            let key = walk.value()?;
            let value = walk.value()?;
            Some((unquote(key)?, Json { text: value }))
        })
    }

    /// An array's elements; none of anything else.
    pub fn items(self) -> impl Iterator<Item = Json<'a>> {
        let mut walk = Walk::new(self.text, '[');
        std::iter::from_fn(move || walk.value().map(|text| Json { text }))
    }

    /// The text of a scalar: what a string says, of a number or boolean its
    /// JSON. Of null, of what is missing, of objects and of arrays it is empty.
    pub fn text(self) -> Cow<'a, str> {
        match self.text.as_bytes().first() {
            Some(b'"') => unquote(self.text).unwrap_or_default(),
            None | Some(b'n' | b'{' | b'[') => Cow::Borrowed(""),
            Some(_) => Cow::Borrowed(self.text),
        }
    }

    /// What a string says; nothing of any other kind of value.
    pub fn string(self) -> Option<Cow<'a, str>> {
        if self.is_string() {
            unquote(self.text)
        } else {
            None
        }
    }

    /// An integer, written as a number or as a string. Nothing if it has a
    /// fraction or an exponent, or does not fit.
    pub fn int(self) -> Option<i64> {
        self.text().parse().ok()
    }

    /// Whether it is true; anything else is not.
    pub fn is_true(self) -> bool {
        self.text == "true"
    }
}

/// Walks over the values of checked text. It ends early where the text is not
/// what it should be, and panics nowhere.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, opening: char) -> Walk<'a> {
        Walk { text: if text.starts_with(opening) { text } else { "" }, at: 1 }
    }

    /// The next key or value.
    fn value(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let mut from = self.at;
        while matches!(bytes.get(from)?, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':') {
            from += 1;
        }
        let end = skip(bytes, from);
        if end == from {
            return None; // the closing bracket
        }
        self.at = end;
        self.text.get(from..end)
    }
}

/// Where the value of checked text that begins at `from` ends.
fn skip(text: &[u8], from: usize) -> usize {
    match text.get(from) {
        Some(b'"') => skip_string(text, from),
        Some(b'{' | b'[') => {
            let mut depth = 0usize;
            let mut at = from;
            while let Some(b) = text.get(at) {
                match b {
                    b'"' => {
                        at = skip_string(text, at);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return at + 1;
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
            at
        }
        _ => {
            let mut at = from;
            while matches!(text.get(at), Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'+' | b'.')) {
                at += 1;
            }
            at
        }
    }
}

fn skip_string(text: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    loop {
        at = plain_end(text, at);
        match text.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return text.len(),
        }
    }
}

fn blanks(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Checks the value that begins at `at`, and returns where it ends.
fn check(text: &[u8], at: usize, depth: usize) -> Result<usize, JsonError> {
    if depth > DEPTH_MAX {
        return Err(JsonError { at });
    }
    match text.get(at) {
        Some(b'"') => check_string(text, at),
        Some(b'{') => {
            let mut at = blanks(text, at + 1);
            if text.get(at) == Some(&b'}') {
                return Ok(at + 1);
            }
            loop {
                at = blanks(text, check_string(text, at)?);
                if text.get(at) != Some(&b':') {
                    return Err(JsonError { at });
                }
                at = blanks(text, check(text, blanks(text, at + 1), depth + 1)?);
                match text.get(at) {
                    Some(b',') => at = blanks(text, at + 1),
                    Some(b'}') => return Ok(at + 1),
                    _ => return Err(JsonError { at }),
                }
            }
        }
        Some(b'[') => {
            let mut at = blanks(text, at + 1);
            if text.get(at) == Some(&b']') {
                return Ok(at + 1);
            }
            loop {
                at = blanks(text, check(text, at, depth + 1)?);
                match text.get(at) {
                    Some(b',') => at = blanks(text, at + 1),
                    Some(b']') => return Ok(at + 1),
                    _ => return Err(JsonError { at }),
                }
            }
        }
        Some(b't') => word(text, at, b"true"),
        Some(b'f') => word(text, at, b"false"),
        Some(b'n') => word(text, at, b"null"),
        _ => check_number(text, at),
    }
}

fn word(text: &[u8], at: usize, word: &[u8]) -> Result<usize, JsonError> {
    if text[at..].starts_with(word) {
        Ok(at + word.len())
    } else {
        Err(JsonError { at })
    }
}

fn check_number(text: &[u8], from: usize) -> Result<usize, JsonError> {
    let digits = |mut at: usize| {
        let from = at;
        while matches!(text.get(at), Some(b'0'..=b'9')) {
            at += 1;
        }
        if at == from {
            Err(JsonError { at })
        } else {
            Ok(at)
        }
    };
    let mut at = from + usize::from(text.get(from) == Some(&b'-'));
    at = if text.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
    if text.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        at = digits(at + usize::from(matches!(text.get(at), Some(b'+' | b'-'))))?;
    }
    Ok(at)
}

/// Where the bytes from `at` on end that stand for themselves in a JSON string. It
/// goes in eights, since in a guest the turns of a loop cost more than what is done in
/// them: of eight bytes below 0x80, one sets a top bit if it is below a blank or
/// becomes zero by exclusive or with a quote or a backslash. The lowest such bit is
/// right; above it a borrow may have set others.
#[inline]
fn plain_end(text: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = ONES * 0x80;
    while let Some(eight) = text.get(at..at + 8) {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(eight);
        let v = u64::from_le_bytes(bytes);
        let quote = (v ^ ONES * u64::from(b'"')).wrapping_sub(ONES);
        let backslash = (v ^ ONES * u64::from(b'\\')).wrapping_sub(ONES);
        let found = (v | v.wrapping_sub(ONES * u64::from(b' ')) | quote | backslash) & TOPS;
        if found == 0 {
            at += 8;
            continue;
        }
        at += found.trailing_zeros() as usize / 8;
        if text[at] < 0x80 {
            return at;
        }
        at += 1; // a part of a longer character
    }
    while matches!(text.get(at), Some(b) if *b >= b' ' && *b != b'"' && *b != b'\\') {
        at += 1;
    }
    at
}

fn check_string(text: &[u8], from: usize) -> Result<usize, JsonError> {
    if text.get(from) != Some(&b'"') {
        return Err(JsonError { at: from });
    }
    let mut at = from + 1;
    loop {
        at = plain_end(text, at);
        match text.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => match text.get(at + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                Some(b'u') if hex4(text, at + 2).is_some() => at += 6,
                _ => return Err(JsonError { at }),
            },
            _ => return Err(JsonError { at }),
        }
    }
}

fn hex4(text: &[u8], at: usize) -> Option<u32> {
    let mut n = 0;
    for b in text.get(at..at + 4)? {
        n = n << 4 | (*b as char).to_digit(16)?;
    }
    Some(n)
}

fn find_backslash(text: &[u8]) -> Option<usize> {
    let plain = plain_end(text, 0);
    text[plain..].iter().position(|b| *b == b'\\').map(|at| plain + at)
}

/// What a JSON string says. One without escapes is a part of the input. Half of
/// a surrogate pair becomes U+FFFD.
fn unquote(text: &str) -> Option<Cow<'_, str>> {
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    let first = match find_backslash(inside.as_bytes()) {
        None => return Some(Cow::Borrowed(inside)),
        Some(at) => at,
    };
    let mut out = String::with_capacity(inside.len());
    out.push_str(&inside[..first]);
    let mut rest = &inside[first..];
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let mut taken = at + 2;
        out.push(match rest.as_bytes().get(at + 1)? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (c, used) = unicode(rest.as_bytes(), at)?;
                taken = at + used;
                c
            }
            other if other.is_ascii() => *other as char,
            _ => return None,
        });
        rest = rest.get(taken..)?;
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

/// The character of the escape \uXXXX at that place, or of a pair of them, and
/// how long it is written.
fn unicode(text: &[u8], at: usize) -> Option<(char, usize)> {
    let first = hex4(text, at + 2)?;
    if (0xd800..0xdc00).contains(&first) && text.get(at + 6..at + 8) == Some(br"\u") {
        match hex4(text, at + 8) {
            Some(second) if (0xdc00..0xe000).contains(&second) => {
                let pair = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Some((char::from_u32(pair)?, 12));
            }
            _ => {}
        }
    }
    Some((char::from_u32(first).unwrap_or('\u{fffd}'), 6))
}

/// Writes a JSON string.
pub(crate) fn write_string(out: &mut Vec<u8>, s: &str) {
    out.push(b'"');
    let text = s.as_bytes();
    let mut start = 0;
    loop {
        let i = plain_end(text, start);
        out.extend_from_slice(&text[start..i]);
        start = i + 1;
        let b = match text.get(i) {
            Some(b) => *b,
            None => break,
        };
        match b {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', b]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(b >> 4), digit(b & 15)]);
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_into_a_document() {
        let text = br#" {"a": {"b": [1, "x\u00e9\n\ud83d\ude00", {"c": null}]}, "n": -1.5e3, "t": true, "s": "12"} "#;
        let json = Json::parse(text).unwrap();
        let list: Vec<_> = json.get("a").get("b").items().collect();
        assert_eq!(list.len(), 3);
        assert_eq!(list[0].int(), Some(1));
        assert_eq!(list[1].text(), "xé\n😀");
        assert!(!list[2].get("c").exists());
        assert_eq!(list[2].raw(), r#"{"c": null}"#);
        assert_eq!(json.get("n").text(), "-1.5e3");
        assert_eq!(json.get("n").int(), None);
        assert!(json.get("t").is_true());
        assert_eq!(json.get("s").int(), Some(12));
        assert_eq!(json.get("a").get("nothing").get("here").text(), "");
        assert_eq!(json.members().map(|(k, _)| k.into_owned()).collect::<Vec<_>>(), ["a", "n", "t", "s"]);
    }

    #[test]
    fn the_last_of_equal_names_counts() {
        assert_eq!(Json::parse(br#"{"a":1,"a":2}"#).unwrap().get("a").int(), Some(2));
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in [
            "", " ", "{", "}", "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.", "-", "1e", "tru", "\"", "\"\\x\"", "\"\\u12g4\"",
            "\"\n\"", "1 2", "nul", "[", "{\"a\" 1}", "{1:2}", "'a'", "\u{feff}1",
        ] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Json::parse(b"\"\xff\"").is_err());
        let deep = "[".repeat(100_000);
        assert!(Json::parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn half_a_pair_is_replaced() {
        assert_eq!(Json::parse(br#""\ud83dx""#).unwrap().text(), "\u{fffd}x");
        assert_eq!(Json::parse(br#""\ude00\ud83d""#).unwrap().text(), "\u{fffd}\u{fffd}");
        assert_eq!(Json::parse(br#""\ud83d\u0041""#).unwrap().text(), "\u{fffd}A");
    }

    /// Whatever the bytes, reading ends without a panic.
    #[test]
    fn reads_any_bytes() {
        let alphabet = br#"{}[]",:\u0d8e-+.1truefalsn "#;
        let mut random = crate::random::Random::new(b"any bytes");
        for _ in 0..20_000 {
            let text: Vec<u8> =
                (0..random.below(24)).map(|_| alphabet[random.below(alphabet.len() as u64) as usize]).collect();
            if let Ok(json) = Json::parse(&text) {
                json.members().for_each(drop);
                json.items().for_each(drop);
                json.text();
            }
            let unchecked = Json { text: std::str::from_utf8(&text).unwrap() };
            unchecked.members().for_each(drop);
            unchecked.items().for_each(drop);
            unchecked.text();
        }
    }
}
