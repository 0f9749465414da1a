// The contract's encoding, as much of Protocol Buffers as sdk/v1 uses.

export const VARINT: u32 = 0;
export const FIXED64: u32 = 1;
export const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

// Span is a piece of memory that the step's request lies in, or of a copy.
export class Span {
  constructor(public at: usize, public end: usize) {}

  get length(): i32 { return i32(this.end - this.at); }

  text(): string { return String.UTF8.decodeUnsafe(this.at, this.end - this.at); }

  bytes(): Uint8Array {
    const out = new Uint8Array(this.length);
    memory.copy(out.dataStart, this.at, this.end - this.at);
    return out;
  }
}

// Fields walks over the fields of an encoded message. It traps on bytes that are not
// valid: the host counts that against the connector, and it never happens.
export class Fields {
  at: usize;
  end: usize;
  number: u32 = 0;
  type: u32 = 0;
  bits: u64 = 0;
  start: usize = 0;

  constructor(message: Span) {
    this.at = message.at;
    this.end = message.end;
  }

  next(): bool {
    if (this.at >= this.end) return false;
    const tag = this.varint();
    this.number = u32(tag >> 3);
    this.type = u32(tag & 7);
    assert(this.number > 0 && tag >> 3 < 1 << 29, "malformed request");
    if (this.type == VARINT) {
      this.bits = this.varint();
    } else if (this.type == LENGTH) {
      const n = this.varint();
      assert(n <= u64(this.end - this.at), "malformed request");
      this.start = this.at;
      this.at += usize(n);
    } else if (this.type == FIXED64) {
      assert(this.end - this.at >= 8, "malformed request");
      this.bits = load<u64>(this.at);
      this.at += 8;
    } else {
      assert(this.type == FIXED32 && this.end - this.at >= 4, "malformed request");
      this.at += 4;
    }
    return true;
  }

  // span is the value of a string, bytes or message field.
  span(): Span {
    assert(this.type == LENGTH, "malformed request");
    return new Span(this.start, this.at);
  }

  text(): string { return this.span().text(); }

  private varint(): u64 {
    let n: u64 = 0;
    for (let shift: u64 = 0; this.at < this.end && shift < 70; shift += 7) {
      const b = load<u8>(this.at++);
      n |= u64(b & 0x7f) << shift;
      if (b < 0x80) return n;
    }
    assert(false, "malformed request");
    return 0;
  }
}

// Writer appends fields in the canonical encoding, if it is given them in ascending
// order: what has its default is left out.
export class Writer {
  private buffer: Uint8Array = new Uint8Array(1024);
  length: i32 = 0;

  get at(): usize { return this.buffer.dataStart; }

  private room(n: i32): usize {
    if (this.length + n > this.buffer.length) {
      const larger = new Uint8Array(2 * this.buffer.length + n);
      memory.copy(larger.dataStart, this.at, this.length);
      this.buffer = larger;
    }
    return this.at + this.length;
  }

  byte(b: u8): void {
    store<u8>(this.room(1), b);
    this.length++;
  }

  raw(from: usize, n: i32): void {
    memory.copy(this.room(n), from, n);
    this.length += n;
  }

  varint(n: u64): void {
    for (; n >= 0x80; n >>= 7) this.byte(u8(n) | 0x80);
    this.byte(u8(n));
  }

  uint(number: u32, n: u64): void {
    if (n == 0) return;
    this.varint(number << 3 | VARINT);
    this.varint(n);
  }

  bool(number: u32, v: bool): void { this.uint(number, v ? 1 : 0); }

  fixed64(number: u32, n: u64): void {
    if (n == 0) return;
    this.varint(number << 3 | FIXED64);
    store<u64>(this.room(8), n);
    this.length += 8;
  }

  text(number: u32, s: string): void { if (s.length > 0) this.element(number, s); }

  // element writes one of a repeated field, which has no default to leave out.
  element(number: u32, s: string): void {
    const utf8 = String.UTF8.encode(s, false, String.UTF8.ErrorMode.REPLACE);
    this.varint(number << 3 | LENGTH);
    this.varint(utf8.byteLength);
    this.raw(changetype<usize>(utf8), utf8.byteLength);
  }

  bytes(number: u32, b: Uint8Array): void { if (b.length > 0) this.blob(number, b); }

  blob(number: u32, b: Uint8Array): void {
    this.varint(number << 3 | LENGTH);
    this.varint(b.length);
    this.raw(b.dataStart, b.length);
  }

  // begin starts a message field, and end ends it, given what begin returned.
  begin(number: u32): i32 {
    this.varint(number << 3 | LENGTH);
    this.byte(0);
    return this.length;
  }

  end(begun: i32): void {
    const n = this.length - begun;
    let more = 0;
    for (let v = n; v >= 0x80; v >>= 7) more++;
    this.room(more);
    memory.copy(this.at + begun + more, this.at + begun, n);
    this.length = begun - 1;
    this.varint(n);
    this.length = begun + more + n;
  }
}

// digest is the 64-bit FNV-1a hash.
export function digest(at: usize, length: i32): u64 {
  let h: u64 = 0xcbf29ce484222325;
  for (let i = 0; i < length; i++) h = (h ^ load<u8>(at + i)) * 0x100000001b3;
  return h;
}

// lookup finds the value of the first pair of that name among the fields of that
// number: Variables, Headers and PriorEffects are such pairs.
export function lookup(message: Span, number: u32, name: string): Span | null {
  const f = new Fields(message);
  while (f.next()) {
    if (f.number != number) continue;
    let key = "";
    let value = new Span(message.at, message.at);
    const pair = new Fields(f.span());
    while (pair.next()) {
      if (pair.number == 1) key = pair.text();
      else if (pair.number == 2) value = pair.span();
    }
    if (key == name) return value;
  }
  return null;
}

export function field(message: Span, number: u32): Span {
  let out = new Span(message.at, message.at);
  const f = new Fields(message);
  while (f.next()) if (f.number == number) out = f.span();
  return out;
}

export function numberField(message: Span, number: u32): u64 {
  let out: u64 = 0;
  const f = new Fields(message);
  while (f.next()) if (f.number == number && f.type == VARINT) out = f.bits;
  return out;
}
