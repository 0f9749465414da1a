/* The contract's encoding: as much of Protocol Buffers as sdk/v1 uses. */

#include "internal.h"

#include <string.h>

/* A number of at most ten bytes. */
static bool varint(rh_fields *f, uint64_t *out) {
    uint64_t n = 0;
    for (int shift = 0; shift < 70 && f->at < f->end; shift += 7) {
        uint8_t b = (uint8_t)*f->at++;
        n |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *out = n;
            return true;
        }
    }
    return false;
}

static bool fixed(rh_fields *f, int bytes) {
    if (f->end - f->at < bytes) return false;
    f->bits = 0;
    for (int i = bytes - 1; i >= 0; i--) f->bits = f->bits << 8 | (uint8_t)f->at[i];
    f->at += bytes;
    return true;
}

rh_fields rh_any_field(rh_fields f) {
    uint64_t tag, length;
    bool good = varint(&f, &tag) && tag >> 3 != 0 && tag >> 3 < 1 << 29;
    if (good) {
        f.number = (uint32_t)(tag >> 3);
        f.type = (int)(tag & 7);
        switch (f.type) {
        case RH_VARINT: good = varint(&f, &f.bits); break;
        case RH_FIXED64: good = fixed(&f, 8); break;
        case RH_FIXED32: good = fixed(&f, 4); break;
        case RH_LENGTH:
            good = varint(&f, &length) && length <= (size_t)(f.end - f.at);
            if (good) {
                f.text = (rh_text){f.at, (size_t)length};
                f.at += length;
            }
            break;
        default: good = false; /* groups, which no version of the contract has */
        }
    }
    f.bad = !good;
    return f;
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

/* Numbers are written where there is room for the longest. */
enum { VARINT_MAX = 10 };

static char *put_varint(char *at, uint64_t n) {
    for (; n >= 0x80; n >>= 7) *at++ = (char)(n | 0x80);
    *at++ = (char)n;
    return at;
}

static char *put_tag(char *at, uint32_t number, int type) { return put_varint(at, (uint64_t)number << 3 | (uint64_t)type); }

void rh_put_uint(rh_bytes *b, uint32_t number, uint64_t n) {
    if (!n) return;
    char *at = rh_grow(b, 2 * VARINT_MAX);
    b->length = (size_t)(put_varint(put_tag(at, number, RH_VARINT), n) - b->at);
}

void rh_put_fixed64(rh_bytes *b, uint32_t number, uint64_t n) {
    if (!n) return;
    char *at = put_tag(rh_grow(b, VARINT_MAX + 8), number, RH_FIXED64);
    for (int i = 0; i < 8; i++, n >>= 8) *at++ = (char)n;
    b->length = (size_t)(at - b->at);
}

void rh_put(rh_bytes *b, uint32_t number, rh_text text) {
    if (text.length) rh_put_always(b, number, text);
}

static inline char *put_text(char *at, uint32_t number, rh_text text) {
    at = put_varint(put_tag(at, number, RH_LENGTH), text.length);
    memcpy(at, text.at, text.length);
    return at + text.length;
}

void rh_put_always(rh_bytes *b, uint32_t number, rh_text text) {
    char *at = rh_grow(b, 2 * VARINT_MAX + text.length);
    b->length = (size_t)(put_text(at, number, text) - b->at);
}

static inline size_t varint_size(size_t n) {
    size_t size = 1;
    for (; n >= 0x80; n >>= 7) size++;
    return size;
}

static inline size_t text_size(rh_text text) { return text.length ? 1 + varint_size(text.length) + text.length : 0; }

void rh_put_pair(rh_bytes *b, uint32_t number, rh_text first, rh_text second) {
    size_t size = text_size(first) + text_size(second);
    char *at = rh_grow(b, 2 * VARINT_MAX + size);
    at = put_varint(put_tag(at, number, RH_LENGTH), size);
    if (first.length) at = put_text(at, 1, first);
    if (second.length) at = put_text(at, 2, second);
    b->length = (size_t)(at - b->at);
}

size_t rh_put_begin(rh_bytes *b, uint32_t number, size_t about) {
    char *at = put_tag(rh_grow(b, 2 * VARINT_MAX), number, RH_LENGTH);
    size_t kept = varint_size(about);
    at += kept;
    at[-1] = (char)kept; /* until the length is known */
    return b->length = (size_t)(at - b->at);
}

void rh_put_end(rh_bytes *b, size_t begun) {
    size_t length = b->length - begun, size = varint_size(length), kept = (size_t)b->at[begun - 1];
    if (size != kept) {
        rh_grow(b, VARINT_MAX);
        memmove(b->at + begun - kept + size, b->at + begun, length);
        b->length = b->length - kept + size;
    }
    put_varint(b->at + begun - kept, length);
}

uint64_t rh_digest(rh_text encoded) {
    uint64_t h = 0xcbf29ce484222325;
    const uint8_t *at = (const uint8_t *)encoded.at, *end = at + encoded.length;
    while (at < end) h = (h ^ *at++) * 0x100000001b3;
    return h;
}
