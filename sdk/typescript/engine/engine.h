// The connector engine: QuickJS behind the boundary that sdk/abi describes. Begin
// with step.c, which runs one step; effect.c is what a handler asks through,
// message.c what it is given, schema.c what the contract's messages look like in
// JavaScript, and wire.c the encoding.
#ifndef RAILHEAD_ENGINE_H
#define RAILHEAD_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "quickjs.h"

// ---------------------------------------------------------------- encoding

// Span is a piece of the step's request. It is valid until the step ends.
typedef struct {
	const uint8_t *at;
	uint32_t len;
} Span;

// Fields walks over the fields of an encoded message.
typedef struct {
	const uint8_t *at, *end;
	uint32_t number, type;
	uint64_t bits; // of a varint or a fixed number
	Span span;     // of a field with a length
	bool bad;      // it is not valid Protocol Buffers, or not of the expected type
} Fields;

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

Fields fields_of(Span message);
bool fields_next(Fields *f);
Span fields_text(Fields *f);
uint64_t fields_uint(Fields *f);
// pair reads a message of two texts, as Variable, Header and Failure are.
bool pair(Span message, Span *first, Span *second);
// lookup finds the value of the first pair of that name among the fields of that
// number; its address is NULL if there is none.
Span lookup(Span message, uint32_t number, const char *name, size_t length);

// Out is what is being written.
typedef struct {
	uint8_t *data;
	uint32_t len, cap;
} Out;

void put_raw(Out *o, const void *bytes, size_t length);
void put_varint(Out *o, uint64_t n);
void put_uint(Out *o, uint32_t number, uint64_t n);       // left out if zero
void put_fixed64(Out *o, uint32_t number, uint64_t n);    // left out if zero
void put_text(Out *o, uint32_t number, const void *bytes, size_t length); // left out if empty
void put_element(Out *o, uint32_t number, const void *bytes, size_t length);
// put_begin starts a field whose length is not known yet, and put_end ends it.
uint32_t put_begin(Out *o, uint32_t number);
void put_end(Out *o, uint32_t begun);
// digest is the 64-bit FNV-1a hash.
uint64_t digest(const uint8_t *bytes, uint32_t length);

void sha256(uint8_t out[32], const uint8_t *bytes, size_t length);

// ------------------------------------------------------------------ schema

// What a field holds, and which JavaScript values it is written from.
typedef enum {
	TEXT,    // string
	DATA,    // Uint8Array, ArrayBuffer, or a string as UTF-8
	JSON,    // any value, as JSON text
	UINT,    // number
	MILLIS,  // number of milliseconds, rounded up
	TIME,    // Date, or number of milliseconds since 1970
	FLAG,    // boolean
	VARS,    // object: repeated Variable, ascending by name
	HEADERS, // object of strings: repeated Header, ascending by name
	TEXTS,   // array of strings
	BLOBS,   // array of DATA
	NESTED,  // object: a message of its own
} Type;

typedef struct Message Message;

typedef struct {
	uint8_t number;
	Type type;
	const char *name; // of the property
	const Message *nested;
	JSAtom atom;
} Field;

struct Message {
	const char *name;
	Field *fields;
	int count;
	bool positional; // its fields are arguments, not properties of one
};

// Kinds of effects are their fields in Effect, kinds of answers and outcomes those
// in Answer and Outcome.
enum {
	EFFECT_HTTP = 2, EFFECT_CHECKPOINT = 10, EFFECT_ROUND_TRIP = 11, EFFECT_LAST = 19,
};
enum {
	ANSWER_NONE = 0, ANSWER_HTTP, ANSWER_START, ANSWER_PUBLISH, ANSWER_QUERY, ANSWER_IN_DOUBT,
	ANSWER_FAILURE, ANSWER_SEQUENCE, ANSWER_BYTES, ANSWER_BOOL, ANSWER_DONE, ANSWER_TEXT,
};
enum {
	OUTCOME_COMPLETE = 1, OUTCOME_FAIL, OUTCOME_BPMN_ERROR, OUTCOME_DOUBT, OUTCOME_REPLY,
	OUTCOME_FRAMES, OUTCOME_MATCH_KEY, OUTCOME_SETTLEMENT,
};

// Effect is a kind of effect: what is written, and which answer it has.
typedef struct {
	Message message;
	int answer;
} Effect;

extern Effect effects[EFFECT_LAST + 1];
extern Message outcomes[OUTCOME_MATCH_KEY + 1];

int schema_init(JSContext *ctx);
// encode writes the fields of a message, from an object or from arguments. It
// returns -1 with an exception if a value is not what the field needs.
int encode(JSContext *ctx, Out *o, const Message *m, int argc, JSValueConst *argv);
// json_text writes a value as JSON; name is what an exception calls it.
int json_text(JSContext *ctx, Out *o, JSValueConst value, const char *name);
// raw_json_class is told the class of objects that hold JSON as text.
JSValue raw_json_class(JSContext *ctx, JSValueConst constructor);

// ---------------------------------------------------------------- messages

// Triggers are fields of Trigger.
enum { TRIGGER_JOB = 3, TRIGGER_HTTP, TRIGGER_FRAME, TRIGGER_FRAME_KEY, TRIGGER_SCHEDULE };

int message_init(JSContext *ctx);
JSValue new_job(JSContext *ctx, Span job);
JSValue new_request(JSContext *ctx, Span request);
JSValue new_response(JSContext *ctx, Span answer, int entry);
JSValue new_frame(JSContext *ctx, Span frame);
JSValue parse_json(JSContext *ctx, Span json, const char *name);
JSValue bytes_value(JSContext *ctx, Span bytes);
static inline JSValue text_value(JSContext *ctx, Span text) {
	return JS_NewStringLen(ctx, (const char *)text.at, text.len);
}

// ----------------------------------------------------------------- effects

// ENTRIES_MAX is abi.StepsMax, and EFFECTS_MAX abi.EffectsMax.
enum { ENTRIES_MAX = 64, EFFECTS_MAX = 16, ASKED_MAX = 1024 };

// Entry is one answered effect of the history.
typedef struct {
	uint32_t ordinal;
	uint64_t digest;
	int64_t time_ms;
	Span answer;
} Entry;

// Asked is an effect that the handler has asked for and not been answered.
typedef struct {
	uint8_t kind;
	JSValue resolve, reject;
} Asked;

// Step is the state of the step that runs. There is one at a time.
typedef struct {
	uint32_t number;  // of the step in this instance: objects of earlier ones are stale
	bool running;
	bool writing;     // values of the script are being encoded, which may call its code
	Span config, tenant, seed, state;
	int64_t now;
	Entry entries[ENTRIES_MAX];
	uint32_t entry_count, delivered;
	uint32_t base;    // ordinal of the last effect before the first of asked
	Asked asked[ASKED_MAX];
	uint32_t asked_count;
	Out waiting;      // encoded StepReply.effects that have no answer yet
	uint32_t waiting_count;
	bool mismatch;
	Out mismatched;   // encoded StepReply.mismatch
	Out settlements;  // encoded Outcome.settlements
	uint64_t random[4];
	bool seeded;
} Step;

extern Step step;

int effect_init(JSContext *ctx, JSValueConst native);
JSValue new_context(JSContext *ctx);
// deliver gives the next answer of the history to the effect that waits for it. It
// returns false if there is none, and -1 with an exception if that failed.
int deliver(JSContext *ctx);
// decode_history reads an Entry of the history.
bool decode_entry(Span message, Entry *e);

// -------------------------------------------------------------------- host

__attribute__((import_module("railhead"), import_name("log")))
void host_log(int32_t level, const void *line, uint32_t length);

// out_of_memory ends the instance: there is no room to say more.
_Noreturn void out_of_memory(void);

#endif
