// The contract's encoding: as much of Protocol Buffers as sdk/v1 uses. Decoding
// hands out parts of the input; encoding is canonical if fields are written in
// ascending order.
#include <stdlib.h>

#include "engine.h"

Fields fields_of(Span message) {
	return (Fields){.at = message.at, .end = message.at + message.len};
}

static bool varint(Fields *f, uint64_t *out) {
	uint64_t n = 0;
	for (int shift = 0; f->at < f->end && shift < 70; shift += 7) {
		uint8_t b = *f->at++;
		n |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80) {
			*out = n;
			return true;
		}
	}
	f->bad = true;
	return false;
}

static bool fixed(Fields *f, int bytes) {
	if (f->end - f->at < bytes) {
		f->bad = true;
		return false;
	}
	f->bits = 0;
	memcpy(&f->bits, f->at, bytes);
	f->at += bytes;
	return true;
}

bool fields_next(Fields *f) {
	uint64_t tag;
	if (f->bad || f->at >= f->end || !varint(f, &tag)) return false;
	uint64_t number = tag >> 3;
	if (number == 0 || number > (1u << 29) - 1) {
		f->bad = true;
		return false;
	}
	f->number = (uint32_t)number;
	f->type = tag & 7;
	switch (f->type) {
	case VARINT:
		return varint(f, &f->bits);
	case FIXED64:
		return fixed(f, 8);
	case FIXED32:
		return fixed(f, 4);
	case LENGTH: {
		uint64_t n;
		if (!varint(f, &n)) return false;
		if (n > (uint64_t)(f->end - f->at)) break;
		f->span = (Span){f->at, (uint32_t)n};
		f->at += n;
		return true;
	}
	}
	f->bad = true; // groups, which no version of the contract has
	return false;
}

Span fields_text(Fields *f) {
	if (f->type == LENGTH) return f->span;
	f->bad = true;
	return (Span){f->end, 0};
}

uint64_t fields_uint(Fields *f) {
	if (f->type == VARINT) return f->bits;
	f->bad = true;
	return 0;
}

bool pair(Span message, Span *first, Span *second) {
	*first = *second = (Span){message.at, 0};
	Fields f = fields_of(message);
	while (fields_next(&f)) {
		if (f.number == 1) *first = fields_text(&f);
		if (f.number == 2) *second = fields_text(&f);
	}
	return !f.bad;
}

Span lookup(Span message, uint32_t number, const char *name, size_t length) {
	Fields f = fields_of(message);
	while (fields_next(&f)) {
		Span key, value;
		if (f.number == number && f.type == LENGTH && pair(f.span, &key, &value) &&
		    key.len == length && memcmp(key.at, name, length) == 0)
			return value;
	}
	return (Span){NULL, 0};
}

static uint8_t *room(Out *o, size_t bytes) {
	if (bytes > o->cap - o->len) {
		uint64_t cap = (uint64_t)o->len + bytes;
		cap += cap / 2 + 256;
		if (cap > INT32_MAX) out_of_memory();
		o->data = realloc(o->data, cap);
		if (!o->data) out_of_memory();
		o->cap = (uint32_t)cap;
	}
	return o->data + o->len;
}

void put_raw(Out *o, const void *bytes, size_t length) {
	if (!length) return;
	memcpy(room(o, length), bytes, length);
	o->len += length;
}

void put_varint(Out *o, uint64_t n) {
	uint8_t *p = room(o, 10);
	int i = 0;
	for (; n >= 0x80; n >>= 7) p[i++] = (uint8_t)n | 0x80;
	p[i++] = (uint8_t)n;
	o->len += i;
}

void put_uint(Out *o, uint32_t number, uint64_t n) {
	if (!n) return;
	put_varint(o, number << 3 | VARINT);
	put_varint(o, n);
}

void put_fixed64(Out *o, uint32_t number, uint64_t n) {
	if (!n) return;
	put_varint(o, number << 3 | FIXED64);
	put_raw(o, &n, 8);
}

void put_text(Out *o, uint32_t number, const void *bytes, size_t length) {
	if (length) put_element(o, number, bytes, length);
}

void put_element(Out *o, uint32_t number, const void *bytes, size_t length) {
	put_varint(o, number << 3 | LENGTH);
	put_varint(o, length);
	put_raw(o, bytes, length);
}

// Nearly all lengths take one byte, so that is what is left free; put_end makes
// room for more.
uint32_t put_begin(Out *o, uint32_t number) {
	put_varint(o, number << 3 | LENGTH);
	*room(o, 1) = 0;
	return ++o->len;
}

void put_end(Out *o, uint32_t begun) {
	uint32_t n = o->len - begun;
	if (n < 0x80) {
		o->data[begun - 1] = (uint8_t)n;
		return;
	}
	int size = 1;
	for (uint32_t v = n; v >= 0x80; v >>= 7) size++;
	room(o, size);
	memmove(o->data + begun - 1 + size, o->data + begun, n);
	uint8_t *p = o->data + begun - 1;
	for (uint32_t v = n;; v >>= 7) {
		*p++ = (uint8_t)(v & 0x7f) | (v >= 0x80 ? 0x80 : 0);
		if (v < 0x80) break;
	}
	o->len += size - 1;
}

uint64_t digest(const uint8_t *bytes, uint32_t length) {
	const uint64_t prime = 0x100000001b3;
	uint64_t h = 0xcbf29ce484222325;
	// Eight bytes at a time: in a guest, the turns of a loop are metered.
	for (; length >= 8; length -= 8, bytes += 8) {
		h = (h ^ bytes[0]) * prime;
		h = (h ^ bytes[1]) * prime;
		h = (h ^ bytes[2]) * prime;
		h = (h ^ bytes[3]) * prime;
		h = (h ^ bytes[4]) * prime;
		h = (h ^ bytes[5]) * prime;
		h = (h ^ bytes[6]) * prime;
		h = (h ^ bytes[7]) * prime;
	}
	for (; length; length--) h = (h ^ *bytes++) * prime;
	return h;
}
