/* What the files of the SDK share. Connectors include railhead.h only. */
#ifndef RAILHEAD_INTERNAL_H
#define RAILHEAD_INTERNAL_H

#include "railhead.h"

/* ------------------------------------------------------------------- memory */

/* The step's memory: everything is forgotten at once when a step begins. */
void *rh_take(size_t bytes);
void rh_forget(void);
rh_text rh_copy(const char *at, size_t length);

/* Bytes that grow. */
typedef struct {
    char *at;
    size_t length, room;
} rh_bytes;
void rh_append(rh_bytes *b, const void *from, size_t length);
void rh_append_byte(rh_bytes *b, char byte);
static inline void rh_append_text(rh_bytes *b, rh_text text) { rh_append(b, text.at, text.length); }
static inline rh_text rh_bytes_text(const rh_bytes *b) { return (rh_text){b->at, b->length}; }

static inline rh_text rh_cut(rh_text text, size_t from, size_t to) {
    return (rh_text){text.at + from, to - from};
}

/* --------------------------------------------------------------------- wire */

/* Walks over the fields of an encoded message. */
typedef struct {
    rh_text in;
    size_t at;
    bool bad; /* it is not valid Protocol Buffers; the walk has ended */
    /* Of the current field. */
    uint32_t number;
    int type;
    uint64_t bits; /* its value, if it has no length */
    rh_text text;  /* its value, if it has one */
} rh_fields;

rh_fields rh_read(rh_text message);
bool rh_field(rh_fields *f); /* moves to the next field */
rh_text rh_field_text(rh_fields *f);
uint64_t rh_field_uint(rh_fields *f);
uint64_t rh_field_fixed64(rh_fields *f);
/* A message that comes in two pieces is both, one after the other. */
rh_text rh_field_message(rh_fields *f, rh_text before);

/* A message of two texts, as Variable, Header, InDoubt and Failure are. */
bool rh_pair(rh_text message, rh_text *first, rh_text *second);
/* The value of the first pair of that name among the fields of that number. */
bool rh_lookup(rh_text message, uint32_t number, rh_text name, rh_text *value);

void rh_put_uint(rh_bytes *b, uint32_t number, uint64_t n);
void rh_put_fixed64(rh_bytes *b, uint32_t number, uint64_t n);
void rh_put(rh_bytes *b, uint32_t number, rh_text text);        /* left out if empty */
void rh_put_always(rh_bytes *b, uint32_t number, rh_text text); /* an element of a repeated field */
void rh_put_pair(rh_bytes *b, uint32_t number, rh_text first, rh_text second);
/* Starts a field whose length is not known yet; rh_put_end ends it. */
size_t rh_put_begin(rh_bytes *b, uint32_t number);
void rh_put_end(rh_bytes *b, size_t begun);

/* FNV-1a of 64 bits. */
uint64_t rh_digest(rh_text encoded);

/* --------------------------------------------------------------------- JSON */

void rh_write_string(rh_bytes *b, rh_text text);
void rh_write_object(rh_bytes *b, const rh_vars *vars);
/* Writes the values as Variables, fields of that number. */
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
