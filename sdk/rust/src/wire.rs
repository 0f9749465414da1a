//! The contract's encoding: as much of Protocol Buffers as `sdk/v1` uses.
//!
//! A reader walks over the fields of a message and hands out parts of the
//! input; a writer appends fields in the canonical form, if it is given them in
//! ascending order. Nothing here allocates but the writer's own buffer.

/// The bytes are not what the contract says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    pub number: u32,
    value: Value<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    pub fn bytes(&self) -> Result<&'a [u8], Malformed> {
        match self.value {
            Value::Bytes(b) => Ok(b),
            _ => Err(Malformed),
        }
    }

    pub fn text(&self) -> Result<&'a str, Malformed> {
        text(self.bytes()?)
    }

    pub fn uint(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Varint(n) => Ok(n),
            _ => Err(Malformed),
        }
    }

    pub fn fixed64(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Fixed64(n) => Ok(n),
            _ => Err(Malformed),
        }
    }
}

/// Checks that bytes are a text. Most are ASCII, which is seen without
/// decoding characters.
pub fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    if bytes.is_ascii() {
        // SAFETY: whatever is ASCII is UTF-8.
        return Ok(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    std::str::from_utf8(bytes).map_err(|_| Malformed)
}

/// The fields of an encoded message, in the order in which they stand.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

pub fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    /// Most fields have a tag of one byte and a number or length of one or two. They are
    /// read in place, since calls are dear in a guest.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if let [tag @ 8..=0x7f, first, second, ..] = *self.rest {
            let (n, head) = match (first, second) {
                (0..=0x7f, _) => (usize::from(first), 2),
                (_, 0..=0x7f) => (usize::from(first) + usize::from(second) * 0x80 - 0x80, 3),
                _ => return self.any(),
            };
            let number = u32::from(tag >> 3);
            match u32::from(tag & 7) {
                VARINT => {
                    self.rest = &self.rest[head..];
                    return Some(Ok(Field { number, value: Value::Varint(n as u64) }));
                }
                LENGTH if n <= self.rest.len() - head => {
                    let (value, rest) = self.rest[head..].split_at(n);
                    self.rest = rest;
                    return Some(Ok(Field { number, value: Value::Bytes(value) }));
                }
                _ => {}
            }
        }
        self.any()
    }
}

impl<'a> Fields<'a> {
    /// The next field, however it is written.
    #[inline(never)]
    fn any(&mut self) -> Option<Result<Field<'a>, Malformed>> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field.ok_or(Malformed))
    }

    fn read(&mut self) -> Option<Field<'a>> {
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > (1 << 29) - 1 {
            return None;
        }
        let value = match tag as u32 & 7 {
            VARINT => Value::Varint(self.varint()?),
            FIXED64 => {
                let b = self.take(8)?;
                Value::Fixed64(u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
            }
            LENGTH => {
                let n = self.varint()?;
                if n > self.rest.len() as u64 {
                    return None;
                }
                Value::Bytes(self.take(n as usize)?)
            }
            FIXED32 => {
                self.take(4)?;
                Value::Fixed32
            }
            _ => return None, // groups, which no version of the contract has
        };
        Some(Field { number: number as u32, value })
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        if n > self.rest.len() {
            return None;
        }
        let (taken, rest) = self.rest.split_at(n);
        self.rest = rest;
        Some(taken)
    }

    /// A number of at most ten bytes. Nearly every one is of one byte.
    #[inline]
    fn varint(&mut self) -> Option<u64> {
        let (&first, rest) = self.rest.split_first()?;
        if first < 0x80 {
            self.rest = rest;
            return Some(u64::from(first));
        }
        let mut n = 0u64;
        for i in 0..10 {
            let b = *self.rest.get(i)?;
            n |= u64::from(b & 0x7f) << (7 * i);
            if b < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Some(n);
            }
        }
        None
    }
}

/// A message field that comes in two pieces is both, one after the other. No
/// host writes it so, but a decoder accepts any valid encoding.
#[derive(Clone, Debug, Default)]
pub struct Merged<'a> {
    first: &'a [u8],
    joined: Option<Vec<u8>>,
}

impl<'a> Merged<'a> {
    pub fn add(&mut self, piece: &'a [u8]) {
        match &mut self.joined {
            Some(all) => all.extend_from_slice(piece),
            None if self.first.is_empty() => self.first = piece,
            None if piece.is_empty() => {}
            None => self.joined = Some([self.first, piece].concat()),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        self.joined.as_deref().unwrap_or(self.first)
    }
}

/// Reads a message of two texts, as Variable, Header, InDoubt and Failure are.
pub fn pair(message: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    // As every host writes it: both texts, in order, the first a short one.
    const FIRST: u8 = (1 << 3 | LENGTH) as u8;
    const SECOND: u8 = (2 << 3 | LENGTH) as u8;
    if let [FIRST, n @ 0..=0x7f, rest @ ..] = message {
        if let (Some(first), Some(rest)) = (rest.get(..usize::from(*n)), rest.get(usize::from(*n)..)) {
            match rest {
                [SECOND, n @ 0..=0x7f, second @ ..] if usize::from(*n) == second.len() => return Ok((first, second)),
                [SECOND, n, m @ 0..=0x7f, second @ ..]
                    if usize::from(*n) + usize::from(*m) * 0x80 == second.len() + 0x80 =>
                {
                    return Ok((first, second))
                }
                _ => {}
            }
        }
    }
    let (mut first, mut second): (&[u8], &[u8]) = (&[], &[]);
    for field in fields(message) {
        let field = field?;
        match field.number {
            1 => first = field.bytes()?,
            2 => second = field.bytes()?,
            _ => {}
        }
    }
    Ok((first, second))
}

/// The value of the first pair of that name among the fields of that number.
pub fn lookup<'a>(message: &'a [u8], number: u32, name: &str) -> Option<&'a [u8]> {
    for field in fields(message) {
        let field = field.ok()?;
        if field.number == number {
            let (key, value) = pair(field.bytes().ok()?).ok()?;
            if key == name.as_bytes() {
                return Some(value);
            }
        }
    }
    None
}

/// Appends fields in the canonical encoding: shortest numbers, defaults left out.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    pub out: Vec<u8>,
}

/// Where a field begins whose length is not known yet.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Open {
    at: usize,   // where its value begins
    kept: usize, // bytes for its length, before that
}

fn varint_size(mut n: usize) -> usize {
    let mut size = 1;
    while n >= 0x80 {
        n >>= 7;
        size += 1;
    }
    size
}

impl Writer {
    #[inline]
    fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.out.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.out.push(n as u8);
    }

    #[inline]
    fn tag(&mut self, number: u32, kind: u32) {
        self.varint(u64::from(number << 3 | kind));
    }

    pub fn uint(&mut self, number: u32, n: u64) {
        if n != 0 {
            self.tag(number, VARINT);
            self.varint(n);
        }
    }

    pub fn bool(&mut self, number: u32, v: bool) {
        self.uint(number, u64::from(v));
    }

    pub fn fixed64(&mut self, number: u32, n: u64) {
        if n != 0 {
            self.tag(number, FIXED64);
            self.out.extend_from_slice(&n.to_le_bytes());
        }
    }

    pub fn text(&mut self, number: u32, s: &str) {
        self.bytes(number, s.as_bytes());
    }

    pub fn bytes(&mut self, number: u32, b: &[u8]) {
        if !b.is_empty() {
            self.always(number, b);
        }
    }

    /// An element of a repeated field, which has no default to leave out.
    pub fn always(&mut self, number: u32, b: &[u8]) {
        self.tag(number, LENGTH);
        self.varint(b.len() as u64);
        self.out.extend_from_slice(b);
    }

    /// A message of two texts.
    pub fn pair(&mut self, number: u32, first: &[u8], second: &[u8]) {
        let size = |b: &[u8]| if b.is_empty() { 0 } else { 1 + varint_size(b.len()) + b.len() };
        let all = size(first) + size(second);
        self.out.reserve(all + 20);
        self.tag(number, LENGTH);
        self.varint(all as u64);
        self.bytes(1, first);
        self.bytes(2, second);
    }

    /// Starts a field whose length is not known yet; `end` ends it.
    pub fn begin(&mut self, number: u32) -> Open {
        self.begin_about(number, 0)
    }

    /// Starts a field whose length is about to be that, which saves moving the value
    /// if it takes as many bytes to write.
    pub fn begin_about(&mut self, number: u32, about: usize) -> Open {
        self.tag(number, LENGTH);
        let kept = varint_size(about);
        for _ in 0..kept {
            self.out.push(0);
        }
        Open { at: self.out.len(), kept }
    }

    pub fn end(&mut self, open: Open) {
        let Open { at, kept } = open;
        let end = self.out.len();
        let (mut n, size) = (end - at, varint_size(end - at));
        let to = at - kept + size;
        if size > kept {
            self.out.resize(end + size - kept, 0);
        }
        if size != kept {
            self.out.copy_within(at..end, to);
            self.out.truncate(to + n);
        }
        for place in &mut self.out[at - kept..to] {
            *place = n as u8 | 0x80;
            n >>= 7;
        }
        self.out[to - 1] &= 0x7f;
    }
}

/// The 64-bit FNV-1a hash of an effect's canonical encoding.
pub fn digest(encoded: &[u8]) -> u64 {
    encoded
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}
