//! The work of rust/src/lib.rs without the SDK: see codec/go, which is the same.
#![no_std]

use core::ptr::{addr_of, addr_of_mut};

const ROOM: usize = 64 << 10;
static mut INPUT: [u8; ROOM] = [0; ROOM];
static mut OUTPUT: [u8; ROOM] = [0; ROOM];

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

#[no_mangle]
pub extern "C" fn railhead_abi_v1() {}

#[no_mangle]
pub extern "C" fn railhead_buf(bytes: usize) -> *mut u8 {
    assert!(bytes <= ROOM);
    unsafe { addr_of_mut!(INPUT).cast() }
}

#[no_mangle]
pub extern "C" fn railhead_step(_request: *const u8, length: usize) -> u64 {
    // The host writes the request where railhead_buf said, reads the reply before
    // the next step, and runs one step at a time.
    let input = unsafe { &*addr_of!(INPUT) };
    let output = unsafe { &mut *addr_of_mut!(OUTPUT) };
    let at = output.as_ptr() as u64;
    let room = output.len();
    let mut out = Writer { rest: output };
    work(&mut out, &input[..length]);
    at << 32 | (room - out.rest.len()) as u64
}

const REQUEST_TRIGGER: u64 = 2;
const TRIGGER_JOB: u64 = 3;
const JOB_VARIABLES: u64 = 5;
const REPLY_OUTCOME: u8 = 2;
const OUTCOME_COMPLETE: u8 = 1;

const ACCEPTED: &[u8] = b"true";
const NOTE: &[u8] = b"\"The payment is in shillings, which this connector takes. \
    It asks nobody, and says so in a sentence of length.\"";

fn work(out: &mut Writer, request: &[u8]) {
    let mut job = Reader(field(field(request, REQUEST_TRIGGER), TRIGGER_JOB));
    let (mut currency, mut transfer): (&[u8], &[u8]) = (&[], &[]);
    while let Some((number, value)) = job.next() {
        if number != JOB_VARIABLES {
            continue;
        }
        match field(value, 1) {
            b"currency" => currency = field(value, 2),
            b"transfer" => transfer = field(value, 2),
            _ => {}
        }
    }
    assert!(currency == b"\"TZS\"");
    let size = variable_size(b"accepted", ACCEPTED) + variable_size(b"note", NOTE) + variable_size(b"transfer", transfer);
    out.tag(REPLY_OUTCOME, 1 + length_size(size) + size);
    out.tag(OUTCOME_COMPLETE, size);
    out.variable(b"accepted", ACCEPTED);
    out.variable(b"note", NOTE);
    out.variable(b"transfer", transfer);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Numbers come back without a value.
    fn next(&mut self) -> Option<(u64, &'a [u8])> {
        if self.0.is_empty() {
            return None;
        }
        let (tag, n) = (self.varint(), self.varint());
        if tag & 7 != 2 {
            return Some((tag >> 3, &[]));
        }
        let (value, rest) = self.0.split_at(n as usize);
        self.0 = rest;
        Some((tag >> 3, value))
    }

    fn varint(&mut self) -> u64 {
        let (mut n, mut shift) = (0, 0);
        loop {
            let byte = self.0[0];
            self.0 = &self.0[1..];
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return n;
            }
            shift += 7;
        }
    }
}

/// The last field of that number.
fn field(data: &[u8], want: u64) -> &[u8] {
    let (mut reader, mut found): (_, &[u8]) = (Reader(data), &[]);
    while let Some((number, value)) = reader.next() {
        if number == want {
            found = value;
        }
    }
    found
}

fn length_size(mut n: usize) -> usize {
    let mut size = 1;
    while n >= 0x80 {
        n >>= 7;
        size += 1;
    }
    size
}

fn inner(name: &[u8], json: &[u8]) -> usize {
    1 + length_size(name.len()) + name.len() + 1 + length_size(json.len()) + json.len()
}

fn variable_size(name: &[u8], json: &[u8]) -> usize {
    let size = inner(name, json);
    1 + length_size(size) + size
}

struct Writer<'a> {
    rest: &'a mut [u8],
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let (room, rest) = core::mem::take(&mut self.rest).split_at_mut(bytes.len());
        room.copy_from_slice(bytes);
        self.rest = rest;
    }

    fn tag(&mut self, number: u8, mut length: usize) {
        self.bytes(&[number << 3 | 2]);
        while length >= 0x80 {
            self.bytes(&[length as u8 | 0x80]);
            length >>= 7;
        }
        self.bytes(&[length as u8]);
    }

    fn variable(&mut self, name: &[u8], json: &[u8]) {
        self.tag(1, inner(name, json));
        self.tag(1, name.len());
        self.bytes(name);
        self.tag(2, json.len());
        self.bytes(json);
    }
}
