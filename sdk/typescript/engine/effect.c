// The context: what a handler asks the host for, and how it is answered from the
// history. Each effect is encoded as it is asked for and held against the entry of
// its ordinal. Answers are given one at a time, each when nothing else can run, in
// the order of the history: so what a handler does next never depends on how much
// of its history is known already.
#include <math.h>
#include <stdlib.h>

#include "engine.h"

Step step;

static JSClassID context_class;
static JSValue failure_class, in_doubt_class;

static const char answer_lost[] =
	"it was done, but what the other side answered is lost: it was found out by enquiry";

bool decode_entry(Span message, Entry *e) {
	*e = (Entry){.answer = {message.at, 0}};
	Fields f = fields_of(message);
	while (fields_next(&f)) {
		switch (f.number) {
		case 1: e->ordinal = (uint32_t)fields_uint(&f); break;
		case 2: if (f.type == FIXED64) e->digest = f.bits; else f.bad = true; break;
		case 3: e->time_ms = (int64_t)fields_uint(&f); break;
		case 4: e->answer = fields_text(&f); break;
		}
	}
	return !f.bad;
}

// current says whether the context is that of the step which runs.
static bool current(JSContext *ctx, JSValueConst this_val) {
	uintptr_t number = (uintptr_t)JS_GetOpaque2(ctx, this_val, context_class);
	if (!number) return false;
	if (step.running && (uint32_t)number == step.number) return true;
	JS_ThrowTypeError(ctx, "this context belongs to a step that is over: do not keep it");
	return false;
}

// ------------------------------------------------------------------ asking

static JSValue ask(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int kind) {
	if (!current(ctx, this_val)) return JS_EXCEPTION;
	if (step.writing) return JS_ThrowTypeError(ctx, "an effect is asked for while an effect or an outcome is written");
	if (step.asked_count == ASKED_MAX) return JS_ThrowRangeError(ctx, "a step asks for more than %d effects", ASKED_MAX);
	Out *o = &step.waiting;
	uint32_t ordinal = step.base + step.asked_count + 1;
	uint32_t before = o->len, reply = put_begin(o, 1);
	put_uint(o, 1, ordinal);
	uint32_t effect = put_begin(o, kind);
	step.writing = true;
	int failed = encode(ctx, o, &effects[kind].message, argc, argv);
	step.writing = false;
	if (!failed && kind == EFFECT_CHECKPOINT && o->len == effect) {
		JS_ThrowTypeError(ctx, "checkpoint: a state is never empty");
		failed = -1;
	}
	if (failed) {
		o->len = before;
		return JS_EXCEPTION;
	}
	put_end(o, effect);

	uint32_t index = step.asked_count;
	if (index < step.entry_count && !step.mismatch) {
		const Entry *e = &step.entries[index];
		uint64_t got = digest(o->data + reply, o->len - reply);
		if (e->ordinal != ordinal || e->digest != got) {
			Out *m = &step.mismatched;
			step.mismatch = true;
			uint32_t at = put_begin(m, 3);
			put_uint(m, 1, ordinal);
			put_fixed64(m, 2, e->digest);
			put_fixed64(m, 3, got);
			put_element(m, 4, o->data + reply, o->len - reply);
			put_end(m, at);
		}
		o->len = before; // it is answered, or nothing more will be asked
	} else if (step.mismatch || step.waiting_count == EFFECTS_MAX) {
		o->len = before; // it will be asked for again, when there is room
	} else {
		put_end(o, reply);
		step.waiting_count++;
	}

	JSValue functions[2];
	JSValue promise = JS_NewPromiseCapability(ctx, functions);
	if (JS_IsException(promise)) return promise;
	step.asked[step.asked_count++] = (Asked){(uint8_t)kind, functions[0], functions[1]};
	return promise;
}

// --------------------------------------------------------------- answering

static JSValue problem(JSContext *ctx, JSValueConst class, Span first, Span second) {
	JSValue args[2] = {text_value(ctx, first), text_value(ctx, second)};
	JSValue error = JS_CallConstructor(ctx, class, 2, args);
	JS_FreeValue(ctx, args[0]);
	JS_FreeValue(ctx, args[1]);
	return error;
}

static Span literal(const char *text) { return (Span){(const uint8_t *)text, (uint32_t)strlen(text)}; }

static int set(JSContext *ctx, JSValueConst object, const char *name, JSValue value) {
	return JS_IsException(value) ? -1 : JS_SetPropertyStr(ctx, object, name, value);
}

static JSValue payment(JSContext *ctx, Span answer) {
	static const char *const names[] = {
		[1] = "found", [2] = "payment", [3] = "state", [4] = "result", [5] = "code", [6] = "startedAt",
		[7] = "endedAt", [8] = "flow", [9] = "clientKey", [10] = "pending",
	};
	Span texts[11];
	uint64_t numbers[11] = {0};
	for (int i = 0; i < 11; i++) texts[i] = (Span){answer.at, 0};
	JSValue v = JS_NewObject(ctx), variables = JS_NewObject(ctx);
	Fields f = fields_of(answer);
	while (fields_next(&f)) {
		if (f.number == 11) {
			Span name, json;
			if (!pair(fields_text(&f), &name, &json)) break;
			JSAtom atom = JS_NewAtomLen(ctx, (const char *)name.at, name.len);
			JSValue value = parse_json(ctx, json, "variable");
			if (JS_IsException(value)) {
				JS_FreeValue(ctx, JS_GetException(ctx));
				value = JS_NULL;
			}
			JS_DefinePropertyValue(ctx, variables, atom, value, JS_PROP_C_W_E);
			JS_FreeAtom(ctx, atom);
		} else if (f.number < 11 && f.type == LENGTH) {
			texts[f.number] = f.span;
		} else if (f.number < 11 && f.type == VARINT) {
			numbers[f.number] = f.bits;
		}
	}
	for (int i = 1; i < 11; i++) {
		if (i == 1 || i == 10) set(ctx, v, names[i], JS_NewBool(ctx, numbers[i] != 0));
		else if (i != 6 && i != 7) set(ctx, v, names[i], text_value(ctx, texts[i]));
		else if (numbers[i]) set(ctx, v, names[i], JS_NewDate(ctx, (double)(int64_t)numbers[i]));
	}
	set(ctx, v, "variables", variables);
	return v;
}

// first returns field 1 of an answer that has only that.
static Fields first(Span answer) {
	Fields f = fields_of(answer), out = {.span = {answer.at, 0}};
	while (fields_next(&f))
		if (f.number == 1) out = f;
	return out;
}

// answer_value decodes the answer to an effect, and says whether it is an error.
static JSValue answer_value(JSContext *ctx, int effect, int entry, bool *failed) {
	int kind = ANSWER_NONE;
	Span message = step.entries[entry].answer;
	Fields f = fields_of(message);
	while (fields_next(&f)) { // the last field given counts
		kind = (int)f.number;
		message = fields_text(&f);
	}
	*failed = true;
	if (kind == ANSWER_NONE && (effect == EFFECT_HTTP || effect == EFFECT_ROUND_TRIP))
		return problem(ctx, in_doubt_class, literal(""), literal(answer_lost));
	Span one, two;
	if (kind == ANSWER_FAILURE && pair(message, &one, &two)) return problem(ctx, failure_class, one, two);
	if (kind == ANSWER_IN_DOUBT && pair(message, &one, &two)) return problem(ctx, in_doubt_class, one, two);
	if (kind != effects[effect].answer) // a host's mistake; the effect got no answer
		return problem(ctx, failure_class, literal("INVALID"), literal("the host answered with something else"));
	*failed = false;
	switch (kind) {
	case ANSWER_HTTP:
		return new_response(ctx, message, entry);
	case ANSWER_START: {
		JSValue v = JS_NewObject(ctx);
		Span uuid = {message.at, 0};
		uint64_t repeated = 0;
		for (f = fields_of(message); fields_next(&f);) {
			if (f.number == 1) uuid = fields_text(&f);
			if (f.number == 2) repeated = fields_uint(&f);
		}
		set(ctx, v, "payment", text_value(ctx, uuid));
		set(ctx, v, "repeated", JS_NewBool(ctx, repeated != 0));
		return v;
	}
	case ANSWER_QUERY:
		return payment(ctx, message);
	case ANSWER_SEQUENCE: {
		uint64_t n = first(message).bits;
		if (n <= 9007199254740991) return JS_NewInt64(ctx, (int64_t)n);
		*failed = true;
		return problem(ctx, failure_class, literal("TOO_LARGE"), literal("the sequence is beyond what a number holds"));
	}
	case ANSWER_BYTES:
		return bytes_value(ctx, first(message).span);
	case ANSWER_BOOL:
		return JS_NewBool(ctx, first(message).bits != 0);
	case ANSWER_TEXT:
		return text_value(ctx, first(message).span);
	}
	return JS_UNDEFINED; // ANSWER_PUBLISH, ANSWER_DONE
}

int deliver(JSContext *ctx) {
	uint32_t i = step.delivered;
	if (step.mismatch || i == step.entry_count || i >= step.asked_count) return 0;
	bool failed;
	step.delivered++;
	step.now = step.entries[i].time_ms;
	JSValue value = answer_value(ctx, step.asked[i].kind, (int)i, &failed);
	if (JS_IsException(value)) return -1;
	JSValue done = JS_Call(ctx, failed ? step.asked[i].reject : step.asked[i].resolve, JS_UNDEFINED, 1, &value);
	JS_FreeValue(ctx, value);
	if (JS_IsException(done)) return -1;
	JS_FreeValue(ctx, done);
	return 1;
}

// -------------------------------------------------------------- randomness

// splitmix64 turns the seed's words, which may be alike, into a good state.
static uint64_t splitmix(uint64_t *x) {
	uint64_t z = (*x += 0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

// draw is xoshiro256**.
static uint64_t draw(void) {
	uint64_t *s = step.random;
	if (!step.seeded) {
		uint64_t x = 0;
		for (int i = 0; i < 4; i++) {
			uint64_t word = 0;
			if (step.seed.len >= 8u * (i + 1)) memcpy(&word, step.seed.at + 8 * i, 8);
			x ^= word;
			s[i] = splitmix(&x);
		}
		step.seeded = true;
	}
	uint64_t out = s[1] * 5, t = s[1] << 17;
	out = (out << 7 | out >> 57) * 9;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = s[3] << 45 | s[3] >> 19;
	return out;
}

static JSValue math_random(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
	return JS_NewFloat64(ctx, (double)(draw() >> 11) * 0x1p-53);
}

static JSValue context_random(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
	return current(ctx, this_val) ? math_random(ctx, this_val, argc, argv) : JS_EXCEPTION;
}

static JSValue context_uuid(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
	static const char digits[] = "0123456789abcdef";
	if (!current(ctx, this_val)) return JS_EXCEPTION;
	uint64_t half[2];
	half[0] = (draw() & ~0xf000ull) | 0x4000;
	half[1] = (draw() & ~(3ull << 62)) | 2ull << 62;
	char out[36], *p = out;
	for (int i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20) *p++ = '-';
		*p++ = digits[half[i / 16] >> 4 * (15 - i % 16) & 15];
	}
	return JS_NewStringLen(ctx, out, sizeof out);
}

// ----------------------------------------------------------- plain answers

static struct {
	uint8_t *json;
	uint32_t len;
	JSValue value;
} config = {.value = JS_UNDEFINED};

// deep_freeze makes a JSON value one that handlers can share.
static int deep_freeze(JSContext *ctx, JSValueConst v) {
	if (!JS_IsObject(v)) return 0;
	JSPropertyEnum *names;
	uint32_t count;
	if (JS_GetOwnPropertyNames(ctx, &names, &count, v, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY)) return -1;
	int failed = 0;
	for (uint32_t i = 0; i < count && !failed; i++) {
		JSValue part = JS_GetProperty(ctx, v, names[i].atom);
		failed = JS_IsException(part) || deep_freeze(ctx, part) ? -1 : 0;
		JS_FreeValue(ctx, part);
	}
	JS_FreePropertyEnum(ctx, names, count);
	return failed || JS_FreezeObject(ctx, v) < 0 ? -1 : 0;
}

// context_config is the tenant's configuration, parsed once for each that comes.
static JSValue context_config(JSContext *ctx, JSValueConst this_val) {
	if (!current(ctx, this_val)) return JS_EXCEPTION;
	if (!JS_IsUndefined(config.value) && config.len == step.config.len &&
	    memcmp(config.json, step.config.at, config.len) == 0)
		return JS_DupValue(ctx, config.value);
	Span text = step.config;
	JSValue v = text.len ? parse_json(ctx, text, "configuration") : JS_NewObject(ctx);
	if (JS_IsException(v) || deep_freeze(ctx, v)) {
		JS_FreeValue(ctx, v);
		return JS_EXCEPTION;
	}
	uint8_t *copy = realloc(config.json, text.len ? text.len : 1);
	if (!copy) out_of_memory();
	memcpy(copy, text.at, text.len);
	JS_FreeValue(ctx, config.value);
	config.json = copy;
	config.len = text.len;
	config.value = v;
	return JS_DupValue(ctx, v);
}

static JSValue context_now(JSContext *ctx, JSValueConst this_val) {
	return current(ctx, this_val) ? JS_NewDate(ctx, (double)step.now) : JS_EXCEPTION;
}

static JSValue context_tenant(JSContext *ctx, JSValueConst this_val) {
	return current(ctx, this_val) ? text_value(ctx, step.tenant) : JS_EXCEPTION;
}

static JSValue context_state(JSContext *ctx, JSValueConst this_val) {
	if (!current(ctx, this_val)) return JS_EXCEPTION;
	return step.state.len ? bytes_value(ctx, step.state) : JS_UNDEFINED;
}

static JSValue context_settle(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
	if (!current(ctx, this_val)) return JS_EXCEPTION;
	size_t length;
	if (!JS_IsString(argv[0]) || !JS_IsBool(argv[1])) return JS_ThrowTypeError(ctx, "settle: it takes a key and whether it is done");
	const char *key = JS_ToCStringLen(ctx, &length, argv[0]);
	if (!key) return JS_EXCEPTION;
	uint32_t at = put_begin(&step.settlements, OUTCOME_SETTLEMENT);
	put_text(&step.settlements, 1, key, length);
	put_uint(&step.settlements, 2, JS_ToBool(ctx, argv[1]) == 1);
	put_end(&step.settlements, at);
	JS_FreeCString(ctx, key);
	return JS_UNDEFINED;
}

// --------------------------------------------------------------------- log

// native_log writes a line that an earlier step has not written already.
static JSValue native_log(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
	int32_t level;
	size_t length;
	if (step.running && step.delivered < step.entry_count) return JS_UNDEFINED;
	if (JS_ToInt32(ctx, &level, argv[0])) return JS_EXCEPTION;
	const char *line = JS_ToCStringLen(ctx, &length, argv[1]);
	if (!line) return JS_EXCEPTION;
	host_log(level, line, (uint32_t)length);
	JS_FreeCString(ctx, line);
	return JS_UNDEFINED;
}

// native_bytes and native_text convert between strings and UTF-8.
static JSValue native_bytes(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
	size_t length;
	if (!JS_IsString(argv[0])) return JS_ThrowTypeError(ctx, "bytes: it takes a string");
	const char *text = JS_ToCStringLen(ctx, &length, argv[0]);
	if (!text) return JS_EXCEPTION;
	JSValue v = JS_NewUint8ArrayCopy(ctx, (const uint8_t *)text, length);
	JS_FreeCString(ctx, text);
	return v;
}

// native_sha256 is the SHA-256 of a string or of bytes.
static JSValue native_sha256(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
	uint8_t out[32];
	size_t length = 0;
	if (JS_IsString(argv[0])) {
		const char *text = JS_ToCStringLen(ctx, &length, argv[0]);
		if (!text) return JS_EXCEPTION;
		sha256(out, (const uint8_t *)text, length);
		JS_FreeCString(ctx, text);
	} else {
		uint8_t *bytes = JS_IsArrayBuffer(argv[0]) ? JS_GetArrayBuffer(ctx, &length, argv[0])
		               : JS_GetUint8Array(ctx, &length, argv[0]);
		if (!bytes && JS_HasException(ctx)) return JS_EXCEPTION;
		sha256(out, bytes, length);
	}
	return JS_NewUint8ArrayCopy(ctx, out, sizeof out);
}

static JSValue native_text(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
	size_t length;
	uint8_t *bytes;
	if (JS_IsArrayBuffer(argv[0]))
		bytes = JS_GetArrayBuffer(ctx, &length, argv[0]);
	else if (JS_GetTypedArrayType(argv[0]) == JS_TYPED_ARRAY_UINT8)
		bytes = JS_GetUint8Array(ctx, &length, argv[0]);
	else
		return JS_ThrowTypeError(ctx, "text: it takes a Uint8Array or an ArrayBuffer");
	if (!bytes && length) return JS_EXCEPTION;
	return JS_NewStringLen(ctx, (const char *)bytes, length);
}

// native_raw_json tells what to write as it is.
static JSValue native_raw_json(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
	return raw_json_class(ctx, argv[0]);
}

// native_problems is told the classes of what effects are refused with.
static JSValue native_problems(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
	failure_class = JS_DupValue(ctx, argv[0]);
	in_doubt_class = JS_DupValue(ctx, argv[1]);
	return JS_UNDEFINED;
}

// native_context lets the SDK add methods to the context.
static JSValue native_context(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
	return JS_GetClassProto(ctx, context_class);
}

static const JSCFunctionListEntry context_properties[] = {
	JS_CGETSET_DEF("now", context_now, NULL),
	JS_CGETSET_DEF("tenant", context_tenant, NULL),
	JS_CGETSET_DEF("config", context_config, NULL),
	JS_CGETSET_DEF("state", context_state, NULL),
	JS_CFUNC_DEF("random", 0, context_random),
	JS_CFUNC_DEF("uuid", 0, context_uuid),
	JS_CFUNC_DEF("settle", 2, context_settle),
};

static const JSCFunctionListEntry native_properties[] = {
	JS_CFUNC_DEF("log", 2, native_log),
	JS_CFUNC_DEF("problems", 2, native_problems),
	JS_CFUNC_DEF("rawJSON", 1, native_raw_json),
	JS_CFUNC_DEF("bytes", 1, native_bytes),
	JS_CFUNC_DEF("text", 1, native_text),
	JS_CFUNC_DEF("sha256", 1, native_sha256),
	JS_CFUNC_DEF("context", 0, native_context),
};

#define COUNT(list) (int)(sizeof list / sizeof list[0])

int effect_init(JSContext *ctx, JSValueConst native) {
	JSClassDef def = {.class_name = "Context"};
	JS_NewClassID(JS_GetRuntime(ctx), &context_class);
	if (JS_NewClass(JS_GetRuntime(ctx), context_class, &def)) return -1;
	JSValue proto = JS_NewObject(ctx);
	if (JS_SetPropertyFunctionList(ctx, proto, context_properties, COUNT(context_properties))) return -1;
	for (int kind = EFFECT_HTTP; kind <= EFFECT_LAST; kind++) {
		const Message *m = &effects[kind].message;
		JSValue f = JS_NewCFunctionMagic(ctx, ask, m->name, m->positional ? m->count : 1, JS_CFUNC_generic_magic, kind);
		if (JS_DefinePropertyValueStr(ctx, proto, m->name, f, JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE) < 0) return -1;
	}
	JS_SetClassProto(ctx, context_class, proto);
	if (JS_SetPropertyFunctionList(ctx, native, native_properties, COUNT(native_properties))) return -1;

	JSValue global = JS_GetGlobalObject(ctx), math = JS_GetPropertyStr(ctx, global, "Math");
	int failed = JS_DefinePropertyValueStr(ctx, math, "random", JS_NewCFunction(ctx, math_random, "random", 0),
	                                       JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
	JS_FreeValue(ctx, math);
	JS_FreeValue(ctx, global);
	return failed < 0 ? -1 : 0;
}

JSValue new_context(JSContext *ctx) {
	JSValue v = JS_NewObjectClass(ctx, context_class);
	if (!JS_IsException(v)) JS_SetOpaque(v, (void *)(uintptr_t)step.number);
	return v;
}
