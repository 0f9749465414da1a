/* What the files of the SDK share. Connectors include railhead.h only. */
#ifndef RAILHEAD_INTERNAL_H
#define RAILHEAD_INTERNAL_H

#include "railhead.h"

#include <string.h>

/* ------------------------------------------------------------------- memory */

/* The step's memory: everything is forgotten at once when a step begins. */
void *rh_take(size_t bytes); /* aligned for anything, not zeroed */
void rh_forget(void);
rh_text rh_copy(const char *at, size_t length);

/* Bytes that grow. */
typedef struct {
    char *at;
    size_t length, room;
} rh_bytes;
/* Makes room for so many more bytes, and returns where they go. */
char *rh_grow(rh_bytes *b, size_t bytes);
void rh_append(rh_bytes *b, const void *from, size_t length);
void rh_append_byte(rh_bytes *b, char byte);
static inline void rh_append_text(rh_bytes *b, rh_text text) { rh_append(b, text.at, text.length); }
static inline rh_text rh_bytes_text(const rh_bytes *b) { return (rh_text){b->at, b->length}; }

static inline rh_text rh_cut(rh_text text, size_t from, size_t to) {
    return (rh_text){text.at + from, to - from};
}

/* --------------------------------------------------------------------- wire */

/* Wire types. */
enum { RH_VARINT = 0, RH_FIXED64 = 1, RH_LENGTH = 2, RH_FIXED32 = 5 };

/* Walks over the fields of an encoded message. */
typedef struct {
    const char *at, *end; /* what is left */
    bool bad;             /* it is not valid Protocol Buffers; the walk has ended */
    /* Of the current field. */
    uint32_t number;
    int type;
    uint64_t bits; /* its value, if it has no length */
    rh_text text;  /* its value, if it has one */
} rh_fields;

static inline rh_fields rh_read(rh_text message) {
    return (rh_fields){.at = message.at, .end = message.length ? message.at + message.length : message.at};
}

/* The next field however it is written. It takes and returns the walk by value, so
 * that the walks of those who call rh_field stay in registers. */
rh_fields rh_any_field(rh_fields f);

/* Moves to the next field. Most have a tag of one byte and a length or number of one
 * byte or two; they are read in place, since calls are dear in a guest. */
static inline __attribute__((always_inline)) bool rh_field(rh_fields *f) {
    const uint8_t *at = (const uint8_t *)f->at;
    size_t left = (size_t)(f->end - f->at);
    if (!left || f->bad) return false;
    /* The types that are even are numbers and what has a length. */
    if (left >= 3 && (uint8_t)(at[0] - 8) < 0x78 && !(at[0] & 5) && (at[1] < 0x80 || at[2] < 0x80)) {
        size_t n = at[1], head = 2;
        if (n >= 0x80) n += (size_t)at[2] * 0x80 - 0x80, head = 3;
        f->number = at[0] >> 3;
        if (!(at[0] & 7)) {
            f->type = RH_VARINT;
            f->bits = n;
            f->at += head;
            return true;
        }
        if (n <= left - head) {
            f->type = RH_LENGTH;
            f->text = (rh_text){f->at + head, n};
            f->at += head + n;
            return true;
        }
    }
    *f = rh_any_field(*f);
    return !f->bad;
}

/* The value of a field of that type; anything else is bad. */
static inline rh_text rh_field_text(rh_fields *f) {
    if (f->type == RH_LENGTH) return f->text;
    f->bad = true;
    return (rh_text){0};
}

static inline uint64_t rh_field_uint(rh_fields *f) {
    if (f->type == RH_VARINT) return f->bits;
    f->bad = true;
    return 0;
}

static inline uint64_t rh_field_fixed64(rh_fields *f) {
    if (f->type == RH_FIXED64) return f->bits;
    f->bad = true;
    return 0;
}

/* A message that comes in two pieces is both, one after the other. */
static inline rh_text rh_field_message(rh_fields *f, rh_text before) {
    rh_text piece = rh_field_text(f);
    return before.length ? rh_concat(NULL, before, piece) : piece;
}

/* A message of two texts, as Variable, Header, InDoubt and Failure are. */
static inline bool rh_pair(rh_text message, rh_text *first, rh_text *second) {
    /* As every host writes it: both texts, in order, the first a short one. */
    const uint8_t *at = (const uint8_t *)message.at;
    if (message.length >= 2 && at[0] == (1 << 3 | RH_LENGTH) && at[1] < 0x80 && at[1] + (size_t)4 <= message.length) {
        size_t from = at[1] + (size_t)2, left = message.length - from;
        at += from;
        size_t head = at[1] < 0x80 ? 2 : 3, length = at[1];
        if (head == 3 && left > 2) length += (size_t)at[2] * 0x80 - 0x80;
        if (at[0] == (2 << 3 | RH_LENGTH) && (head == 2 || (left > 2 && at[2] < 0x80)) && length == left - head) {
            *first = (rh_text){message.at + 2, from - 2};
            *second = (rh_text){message.at + from + head, length};
            return true;
        }
    }
    rh_text found[2] = {{0}, {0}};
    rh_fields f = rh_read(message);
    while (rh_field(&f)) {
        if (f.number == 1) found[0] = rh_field_text(&f);
        if (f.number == 2) found[1] = rh_field_text(&f);
    }
    *first = found[0], *second = found[1];
    return !f.bad;
}

/* The value of the first pair of that name among the fields of that number. */
bool rh_lookup(rh_text message, uint32_t number, rh_text name, rh_text *value);

void rh_put_uint(rh_bytes *b, uint32_t number, uint64_t n);
void rh_put_fixed64(rh_bytes *b, uint32_t number, uint64_t n);
void rh_put(rh_bytes *b, uint32_t number, rh_text text);        /* left out if empty */
void rh_put_always(rh_bytes *b, uint32_t number, rh_text text); /* an element of a repeated field */
void rh_put_pair(rh_bytes *b, uint32_t number, rh_text first, rh_text second);
/* Starts a field whose length is not known yet; rh_put_end ends it. What the length
 * will be about saves moving the value, if it is right. */
size_t rh_put_begin(rh_bytes *b, uint32_t number, size_t about);
void rh_put_end(rh_bytes *b, size_t begun);

/* FNV-1a of 64 bits. */
uint64_t rh_digest(rh_text encoded);

/* --------------------------------------------------------------------- JSON */

void rh_write_string(rh_bytes *b, rh_text text);
void rh_write_object(rh_bytes *b, const rh_vars *vars);
/* Writes the values as Variables, fields of that number. rh_vars_about is about how
 * many bytes that takes. */
size_t rh_vars_about(const rh_vars *vars);
void rh_put_vars(rh_bytes *b, uint32_t number, const rh_vars *vars);

/* --------------------------------------------------------------------- step */

typedef struct {
    uint32_t ordinal;
    uint64_t digest;
    int64_t time_ms;
    rh_text answer; /* encoded */
} rh_entry;

typedef struct rh_settlement {
    rh_text key;
    bool done;
    struct rh_settlement *next;
} rh_settlement;

/* ChaCha8 as c2sp.org/chacha8rand has it, which is Go's. */
typedef struct {
    uint64_t seed[4], buffer[32];
    size_t next, end;
    uint32_t counter;
    bool begun;
} rh_random_source;
uint64_t rh_draw(rh_random_source *r, rh_text seed);


struct rh_step {
    rh_text seed;
    rh_entry *history;
    size_t entries, next; /* next: the first that is not consumed yet */
    uint32_t ordinal;     /* of the last effect asked for */
    rh_bytes reply;
    size_t outcome; /* where it begins in the reply */
    rh_settlement *settlements, **last_settlement;
    bool drawn; /* from the random source, in this step */
    bool left; /* the reply is finished: an effect waits, a mismatch, an error */
};

void rh_step_error(rh_context *c, rh_text text);
void rh_put_headers(rh_bytes *b, uint32_t number, const rh_header *headers);

#define RH_UNDECODABLE RH("the step request does not decode: it is not valid Protocol Buffers")

/* Fields of messages that more than one file knows. */
enum { RH_JOB_VARIABLES = 5, RH_JOB_HEADERS = 6 };
enum { RH_REPLY_EFFECTS = 1, RH_REPLY_OUTCOME = 2, RH_REPLY_MISMATCH = 3, RH_REPLY_ERROR = 4 };

#endif
