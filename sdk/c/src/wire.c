/* The contract's encoding: as much of Protocol Buffers as sdk/v1 uses. */

#include "internal.h"

#include <string.h>

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

rh_fields rh_read(rh_text message) { return (rh_fields){.in = message}; }

/* A number of at most ten bytes. */
static bool varint(rh_fields *f, uint64_t *out) {
    uint64_t n = 0;
    for (int shift = 0; shift < 70 && f->at < f->in.length; shift += 7) {
        uint8_t b = (uint8_t)f->in.at[f->at++];
        n |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *out = n;
            return true;
        }
    }
    return false;
}

static bool fixed(rh_fields *f, int bytes) {
    if (f->in.length - f->at < (size_t)bytes) return false;
    f->bits = 0;
    for (int i = bytes - 1; i >= 0; i--) f->bits = f->bits << 8 | (uint8_t)f->in.at[f->at + (size_t)i];
    f->at += (size_t)bytes;
    return true;
}

bool rh_field(rh_fields *f) {
    if (f->bad || f->at >= f->in.length) return false;
    uint64_t tag, length;
    bool good = varint(f, &tag) && tag >> 3 != 0 && tag >> 3 < 1 << 29;
    if (good) {
        f->number = (uint32_t)(tag >> 3);
        f->type = (int)(tag & 7);
        switch (f->type) {
        case VARINT: good = varint(f, &f->bits); break;
        case FIXED64: good = fixed(f, 8); break;
        case FIXED32: good = fixed(f, 4); break;
        case LENGTH:
            good = varint(f, &length) && length <= f->in.length - f->at;
            if (good) {
                f->text = (rh_text){f->in.at + f->at, (size_t)length};
                f->at += (size_t)length;
            }
            break;
        default: good = false; /* groups, which no version of the contract has */
        }
    }
    f->bad = !good;
    return good;
}

rh_text rh_field_text(rh_fields *f) {
    if (f->type == LENGTH) return f->text;
    f->bad = true;
    return (rh_text){0};
}

uint64_t rh_field_uint(rh_fields *f) {
    if (f->type == VARINT) return f->bits;
    f->bad = true;
    return 0;
}

uint64_t rh_field_fixed64(rh_fields *f) {
    if (f->type == FIXED64) return f->bits;
    f->bad = true;
    return 0;
}

rh_text rh_field_message(rh_fields *f, rh_text before) {
    rh_text piece = rh_field_text(f);
    return before.length ? rh_concat(NULL, before, piece) : piece;
}

bool rh_pair(rh_text message, rh_text *first, rh_text *second) {
    *first = *second = (rh_text){0};
    rh_fields f = rh_read(message);
    while (rh_field(&f)) {
        if (f.number == 1) *first = rh_field_text(&f);
        if (f.number == 2) *second = rh_field_text(&f);
    }
    return !f.bad;
}

bool rh_lookup(rh_text message, uint32_t number, rh_text name, rh_text *value) {
    rh_fields f = rh_read(message);
    while (rh_field(&f)) {
        rh_text key, found;
        if (f.number == number && rh_pair(rh_field_text(&f), &key, &found) && rh_equal(key, name)) {
            *value = found;
            return true;
        }
    }
    *value = (rh_text){0};
    return false;
}

static void put_varint(rh_bytes *b, uint64_t n) {
    for (; n >= 0x80; n >>= 7) rh_append_byte(b, (char)(n | 0x80));
    rh_append_byte(b, (char)n);
}

static void put_tag(rh_bytes *b, uint32_t number, int type) { put_varint(b, (uint64_t)number << 3 | (uint64_t)type); }

void rh_put_uint(rh_bytes *b, uint32_t number, uint64_t n) {
    if (!n) return;
    put_tag(b, number, VARINT);
    put_varint(b, n);
}

void rh_put_fixed64(rh_bytes *b, uint32_t number, uint64_t n) {
    if (!n) return;
    put_tag(b, number, FIXED64);
    for (int i = 0; i < 8; i++, n >>= 8) rh_append_byte(b, (char)n);
}

void rh_put(rh_bytes *b, uint32_t number, rh_text text) {
    if (text.length) rh_put_always(b, number, text);
}

void rh_put_always(rh_bytes *b, uint32_t number, rh_text text) {
    put_tag(b, number, LENGTH);
    put_varint(b, text.length);
    rh_append_text(b, text);
}

void rh_put_pair(rh_bytes *b, uint32_t number, rh_text first, rh_text second) {
    size_t begun = rh_put_begin(b, number);
    rh_put(b, 1, first);
    rh_put(b, 2, second);
    rh_put_end(b, begun);
}

size_t rh_put_begin(rh_bytes *b, uint32_t number) {
    put_tag(b, number, LENGTH);
    rh_append_byte(b, 0);
    return b->length;
}

void rh_put_end(rh_bytes *b, size_t begun) {
    size_t n = b->length - begun;
    char length[10];
    size_t size = 0;
    for (; n >= 0x80; n >>= 7) length[size++] = (char)(n | 0x80);
    length[size++] = (char)n;
    if (size > 1) { /* room for the longer length */
        size_t end = b->length;
        rh_append(b, length, size - 1);
        memmove(b->at + begun + size - 1, b->at + begun, end - begun);
    }
    memcpy(b->at + begun - 1, length, size);
}

uint64_t rh_digest(rh_text encoded) {
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < encoded.length; i++) h = (h ^ (uint8_t)encoded.at[i]) * 0x100000001b3;
    return h;
}
