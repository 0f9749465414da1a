// What the contract's messages look like in JavaScript, and how they are written.
// The tables follow sdk/v1/connector.proto; fields ascend, as the canonical
// encoding wants.
#include <math.h>

#include "engine.h"

#define FIELDS(name, ...) static Field name##_fields[] = {__VA_ARGS__}
#define MESSAGE(text, name) {text, name##_fields, sizeof name##_fields / sizeof(Field), false}
#define ARGUMENTS(text, name) {text, name##_fields, sizeof name##_fields / sizeof(Field), true}

FIELDS(terms, {1, TEXT, "amount"}, {2, TEXT, "currency"}, {3, TEXT, "debtor"}, {4, TEXT, "creditor"});
static const Message terms = MESSAGE("terms", terms);

FIELDS(http, {1, TEXT, "endpoint"}, {2, TEXT, "method"}, {3, TEXT, "path"}, {4, HEADERS, "headers"},
       {5, DATA, "body"}, {6, TEXT, "key"}, {7, NESTED, "terms", &terms}, {8, MILLIS, "timeoutMs"});
FIELDS(start, {1, TEXT, "flow"}, {2, TEXT, "clientKey"}, {3, DATA, "requestDigest"}, {4, VARS, "variables"},
       {5, TEXT, "uuidVariable"});
FIELDS(publish, {1, TEXT, "name"}, {2, TEXT, "key"}, {3, TEXT, "id"}, {4, MILLIS, "ttlMs"}, {5, VARS, "variables"});
FIELDS(await, {1, TEXT, "payment"}, {2, MILLIS, "timeoutMs"});
FIELDS(query, {1, TEXT, "payment"}, {2, TEXT, "clientKey"}, {3, TEXTS, "variables"});
FIELDS(sleep, {1, MILLIS, "durationMs"});
FIELDS(sequence, {1, TEXT, "name"});
FIELDS(emit, {1, TEXT, "name"}, {2, JSON, "event"});
FIELDS(checkpoint, {1, DATA, "state"});
FIELDS(round_trip, {1, TEXT, "link"}, {2, DATA, "data"}, {3, TEXT, "matchKey"}, {4, MILLIS, "timeoutMs"},
       {5, TEXT, "key"}, {6, NESTED, "terms", &terms});
FIELDS(send, {1, TEXT, "link"}, {2, DATA, "data"});
FIELDS(forward, {1, TEXT, "link"}, {2, TEXT, "key"}, {3, DATA, "data"}, {4, TIME, "until"});
FIELDS(sign, {1, TEXT, "keyRef"}, {2, TEXT, "algorithm"}, {3, DATA, "data"});
FIELDS(verify, {1, TEXT, "keyRef"}, {2, TEXT, "algorithm"}, {3, DATA, "data"}, {4, DATA, "signature"});
FIELDS(mac, {1, TEXT, "keyRef"}, {2, TEXT, "algorithm"}, {3, DATA, "data"});
FIELDS(encrypt, {1, TEXT, "keyRef"}, {2, TEXT, "algorithm"}, {3, DATA, "data"}, {4, DATA, "additional"});
FIELDS(tokenize, {1, TEXT, "kind"}, {2, TEXT, "value"});
FIELDS(detokenize, {1, TEXT, "token"});

Effect effects[EFFECT_LAST + 1] = {
	[2] = {MESSAGE("http", http), ANSWER_HTTP},
	[3] = {MESSAGE("startPayment", start), ANSWER_START},
	[4] = {MESSAGE("publish", publish), ANSWER_PUBLISH},
	[5] = {ARGUMENTS("awaitResult", await), ANSWER_QUERY},
	[6] = {MESSAGE("query", query), ANSWER_QUERY},
	[7] = {ARGUMENTS("sleep", sleep), ANSWER_DONE},
	[8] = {ARGUMENTS("sequence", sequence), ANSWER_SEQUENCE},
	[9] = {ARGUMENTS("emit", emit), ANSWER_DONE},
	[10] = {ARGUMENTS("checkpoint", checkpoint), ANSWER_DONE},
	[11] = {MESSAGE("roundTrip", round_trip), ANSWER_BYTES},
	[12] = {ARGUMENTS("send", send), ANSWER_DONE},
	[13] = {MESSAGE("forward", forward), ANSWER_DONE},
	[14] = {MESSAGE("sign", sign), ANSWER_BYTES},
	[15] = {MESSAGE("verify", verify), ANSWER_BOOL},
	[16] = {MESSAGE("mac", mac), ANSWER_BYTES},
	[17] = {MESSAGE("encrypt", encrypt), ANSWER_BYTES},
	[18] = {ARGUMENTS("tokenize", tokenize), ANSWER_TEXT},
	[19] = {ARGUMENTS("detokenize", detokenize), ANSWER_TEXT},
};

FIELDS(complete, {1, VARS, "variables"});
FIELDS(fail, {1, FLAG, "retryable"}, {2, MILLIS, "backoffMs"}, {3, TEXT, "reason"}, {4, TEXT, "code"});
FIELDS(bpmn_error, {1, TEXT, "code"}, {2, TEXT, "message"}, {3, VARS, "variables"});
FIELDS(doubt, {1, TEXT, "key"}, {2, TEXT, "reason"});
FIELDS(reply, {1, UINT, "status"}, {2, HEADERS, "headers"}, {3, DATA, "body"});
FIELDS(frames, {1, BLOBS, "frames"});
FIELDS(match_key, {1, TEXT, "key"});

Message outcomes[OUTCOME_MATCH_KEY + 1] = {
	[OUTCOME_COMPLETE] = MESSAGE("complete", complete),
	[OUTCOME_FAIL] = MESSAGE("fail", fail),
	[OUTCOME_BPMN_ERROR] = MESSAGE("bpmnError", bpmn_error),
	[OUTCOME_DOUBT] = MESSAGE("doubtful", doubt),
	[OUTCOME_REPLY] = MESSAGE("reply", reply),
	[OUTCOME_FRAMES] = ARGUMENTS("frames", frames),
	[OUTCOME_MATCH_KEY] = ARGUMENTS("matchKey", match_key),
};

static JSAtom atom_json, atom_text;
static JSValue raw_json = JS_UNDEFINED;

JSValue raw_json_class(JSContext *ctx, JSValueConst constructor) {
	raw_json = JS_DupValue(ctx, constructor);
	return JS_UNDEFINED;
}

static int intern(JSContext *ctx, const Message *m) {
	for (int i = 0; i < m->count; i++) {
		Field *f = &m->fields[i];
		if (f->atom == JS_ATOM_NULL && (f->atom = JS_NewAtom(ctx, f->name)) == JS_ATOM_NULL) return -1;
		if (f->nested && intern(ctx, f->nested)) return -1;
	}
	return 0;
}

int schema_init(JSContext *ctx) {
	for (int i = 0; i <= EFFECT_LAST; i++)
		if (intern(ctx, &effects[i].message)) return -1;
	for (int i = 0; i <= OUTCOME_MATCH_KEY; i++)
		if (intern(ctx, &outcomes[i])) return -1;
	atom_json = JS_NewAtom(ctx, "json");
	atom_text = JS_NewAtom(ctx, "text");
	return atom_json == JS_ATOM_NULL || atom_text == JS_ATOM_NULL ? -1 : 0;
}

static int wrong(JSContext *ctx, const char *message, const char *field, const char *what) {
	JS_ThrowTypeError(ctx, "%s: %s must be %s", message, field, what);
	return -1;
}

// put_string writes a JavaScript string. A lone half of a surrogate pair, which has
// no UTF-8, becomes U+FFFD.
static void put_string(Out *o, uint32_t number, const char *text, size_t length, bool always) {
	const char *p = text, *end = text + length;
	if (!always && !length) return;
	while ((p = memchr(p, 0xed, end - p)) && (uint8_t)p[1] < 0xa0) p++;
	if (!p) {
		put_element(o, number, text, length);
		return;
	}
	uint32_t at = put_begin(o, number);
	for (const char *from = text;;) {
		put_raw(o, from, p - from);
		put_raw(o, "\xef\xbf\xbd", 3);
		from = p += 3;
		while ((p = memchr(p, 0xed, end - p)) && (uint8_t)p[1] < 0xa0) p++;
		if (!p) {
			put_raw(o, from, end - from);
			break;
		}
	}
	put_end(o, at);
}

static int put_js_string(JSContext *ctx, Out *o, uint32_t number, JSValueConst v, bool always) {
	size_t length;
	const char *text = JS_ToCStringLen(ctx, &length, v);
	if (!text) return -1;
	put_string(o, number, text, length, always);
	JS_FreeCString(ctx, text);
	return 0;
}

static int put_data(JSContext *ctx, Out *o, const Message *m, const Field *f, JSValueConst v, bool always) {
	if (JS_IsString(v)) return put_js_string(ctx, o, f->number, v, always);
	size_t length = 0;
	uint8_t *bytes = NULL;
	if (JS_GetTypedArrayType(v) == JS_TYPED_ARRAY_UINT8)
		bytes = JS_GetUint8Array(ctx, &length, v);
	else if (JS_IsArrayBuffer(v))
		bytes = JS_GetArrayBuffer(ctx, &length, v);
	else
		return wrong(ctx, m->name, f->name, "a string, a Uint8Array or an ArrayBuffer");
	if (!bytes && length) return -1;
	if (length || always) put_element(o, f->number, bytes, length);
	return 0;
}

// plain says whether text stands for itself in a JSON string.
static bool plain(const char *text, size_t length) {
	for (size_t i = 0; i < length; i++) {
		uint8_t c = text[i];
		if (c < ' ' || c >= 0x7f || c == '"' || c == '\\') return false;
	}
	return true;
}

int json_text(JSContext *ctx, Out *o, JSValueConst v, const char *name) {
	size_t length;
	const char *text;
	if (JS_IsBool(v) || JS_IsNull(v)) {
		const char *word = JS_IsNull(v) ? "null" : JS_ToBool(ctx, v) ? "true" : "false";
		put_raw(o, word, strlen(word));
		return 0;
	}
	if (JS_IsNumber(v)) {
		double d;
		if (JS_ToFloat64(ctx, &d, v)) return -1;
		if (!isfinite(d)) {
			JS_ThrowTypeError(ctx, "the value of %s is not a finite number", name);
			return -1;
		}
		if (!(text = JS_ToCStringLen(ctx, &length, v))) return -1;
		put_raw(o, text, length);
		JS_FreeCString(ctx, text);
		return 0;
	}
	if (JS_IsString(v)) {
		if (!(text = JS_ToCStringLen(ctx, &length, v))) return -1;
		bool as_is = plain(text, length);
		if (as_is) {
			put_raw(o, "\"", 1);
			put_raw(o, text, length);
			put_raw(o, "\"", 1);
		}
		JS_FreeCString(ctx, text);
		if (as_is) return 0;
	}
	int raw = JS_IsObject(v) ? JS_IsInstanceOf(ctx, v, raw_json) : 0;
	if (raw < 0) return -1;
	JSValue json = raw ? JS_GetProperty(ctx, v, atom_text) : JS_JSONStringify(ctx, v, JS_UNDEFINED, JS_UNDEFINED);
	if (JS_IsException(json)) return -1;
	if (JS_IsUndefined(json)) {
		JS_ThrowTypeError(ctx, "the value of %s has no JSON", name);
		return -1;
	}
	text = JS_ToCStringLen(ctx, &length, json);
	JS_FreeValue(ctx, json);
	if (!text) return -1;
	put_raw(o, text, length);
	JS_FreeCString(ctx, text);
	return 0;
}

// Pair is a property of an object that becomes a list of pairs.
typedef struct {
	JSAtom atom;
	const char *name;
	size_t length;
} Pair;

static int order(const Pair *a, const Pair *b) {
	int c = memcmp(a->name, b->name, a->length < b->length ? a->length : b->length);
	return c ? c : (a->length > b->length) - (a->length < b->length);
}

static bool is_content_type(const char *name, size_t length) {
	static const char want[] = "content-type";
	if (length != sizeof want - 1) return false;
	for (size_t i = 0; i < length; i++)
		if ((name[i] | 0x20) != want[i] && name[i] != want[i]) return false;
	return true;
}

// put_pairs writes the properties of an object as Variables or as Headers. A body
// that was given as JSON adds its type to the headers, unless they name one.
static int put_pairs(JSContext *ctx, Out *o, const Message *m, const Field *f, JSValueConst v, bool json_body) {
	JSPropertyEnum *names = NULL;
	uint32_t count = 0;
	bool given = !JS_IsUndefined(v) && !JS_IsNull(v);
	if (given && !JS_IsObject(v)) return wrong(ctx, m->name, f->name, "an object");
	if (given && JS_GetOwnPropertyNames(ctx, &names, &count, v, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY)) return -1;
	Pair *pairs = js_malloc(ctx, (count + 1) * sizeof(Pair));
	uint32_t n = 0;
	int failed = pairs ? 0 : -1;
	for (uint32_t i = 0; i < count && !failed; i++) {
		Pair p = {names[i].atom};
		if (!(p.name = JS_AtomToCStringLen(ctx, &p.length, p.atom))) {
			failed = -1;
			break;
		}
		if (f->type == HEADERS && is_content_type(p.name, p.length)) json_body = false;
		uint32_t at = n++;
		for (; at > 0 && order(&p, &pairs[at - 1]) < 0; at--) pairs[at] = pairs[at - 1];
		pairs[at] = p;
	}
	if (!failed && json_body) {
		Pair p = {JS_ATOM_NULL, "content-type", 12};
		uint32_t at = n++;
		for (; at > 0 && order(&p, &pairs[at - 1]) < 0; at--) pairs[at] = pairs[at - 1];
		pairs[at] = p;
	}
	for (uint32_t i = 0; i < n && !failed; i++) {
		if (pairs[i].atom == JS_ATOM_NULL) {
			uint32_t at = put_begin(o, f->number);
			put_text(o, 1, pairs[i].name, pairs[i].length);
			put_text(o, 2, "application/json", 16);
			put_end(o, at);
			continue;
		}
		JSValue value = JS_GetProperty(ctx, v, pairs[i].atom);
		if (JS_IsException(value)) {
			failed = -1;
		} else if (!JS_IsUndefined(value)) {
			uint32_t at = put_begin(o, f->number);
			put_string(o, 1, pairs[i].name, pairs[i].length, false);
			if (f->type == VARS) {
				uint32_t json = put_begin(o, 2);
				failed = json_text(ctx, o, value, pairs[i].name);
				put_end(o, json);
			} else if (JS_IsString(value)) {
				failed = put_js_string(ctx, o, 2, value, false);
			} else {
				failed = wrong(ctx, m->name, f->name, "an object of strings");
			}
			put_end(o, at);
		}
		JS_FreeValue(ctx, value);
	}
	for (uint32_t i = 0; i < n; i++)
		if (pairs[i].atom != JS_ATOM_NULL) JS_FreeCString(ctx, pairs[i].name);
	js_free(ctx, pairs);
	if (names) JS_FreePropertyEnum(ctx, names, count);
	return failed;
}

static int put_list(JSContext *ctx, Out *o, const Message *m, const Field *f, JSValueConst v) {
	int64_t length;
	if (!JS_IsArray(v)) return wrong(ctx, m->name, f->name, "an array");
	if (JS_GetLength(ctx, v, &length)) return -1;
	for (int64_t i = 0; i < length; i++) {
		JSValue element = JS_GetPropertyInt64(ctx, v, i);
		int failed = JS_IsException(element) ? -1 : 0;
		if (!failed) {
			if (f->type == BLOBS)
				failed = put_data(ctx, o, m, f, element, true);
			else if (JS_IsString(element))
				failed = put_js_string(ctx, o, f->number, element, true);
			else
				failed = wrong(ctx, m->name, f->name, "an array of strings");
		}
		JS_FreeValue(ctx, element);
		if (failed) return -1;
	}
	return 0;
}

static int put_number(JSContext *ctx, Out *o, const Message *m, const Field *f, JSValueConst v) {
	double d;
	bool date = f->type == TIME && JS_IsDate(v);
	if (!date && !JS_IsNumber(v)) return wrong(ctx, m->name, f->name, f->type == TIME ? "a Date or a number" : "a number");
	if (JS_ToFloat64(ctx, &d, v)) return -1;
	// Rounded up, so that a short positive duration never becomes zero, which
	// means something else.
	if (f->type != UINT) d = ceil(d);
	if (!(d >= 0 && d <= 9007199254740991.0) || d != floor(d))
		return wrong(ctx, m->name, f->name, "a whole number that is not negative");
	put_uint(o, f->number, (uint64_t)d);
	return 0;
}

static int put_field(JSContext *ctx, Out *o, const Message *m, const Field *f, JSValueConst v, bool json_body) {
	if (f->type == HEADERS) return json_body || !JS_IsUndefined(v) ? put_pairs(ctx, o, m, f, v, json_body) : 0;
	if (JS_IsUndefined(v) || (JS_IsNull(v) && f->type != JSON)) return 0;
	uint32_t at;
	int failed;
	switch (f->type) {
	case TEXT:
		if (!JS_IsString(v)) return wrong(ctx, m->name, f->name, "a string");
		return put_js_string(ctx, o, f->number, v, false);
	case DATA:
		return put_data(ctx, o, m, f, v, false);
	case JSON:
		at = put_begin(o, f->number);
		failed = json_text(ctx, o, v, f->name);
		put_end(o, at);
		return failed;
	case UINT:
	case MILLIS:
	case TIME:
		return put_number(ctx, o, m, f, v);
	case FLAG:
		put_uint(o, f->number, JS_ToBool(ctx, v) == 1);
		return 0;
	case VARS:
		return put_pairs(ctx, o, m, f, v, false);
	case TEXTS:
	case BLOBS:
		return put_list(ctx, o, m, f, v);
	case NESTED:
		if (!JS_IsObject(v)) return wrong(ctx, m->name, f->name, "an object");
		at = put_begin(o, f->number);
		failed = encode(ctx, o, f->nested, 1, &v);
		put_end(o, at);
		return failed;
	default:
		return 0;
	}
}

int encode(JSContext *ctx, Out *o, const Message *m, int argc, JSValueConst *argv) {
	if (m->positional) {
		for (int i = 0; i < m->count && i < argc; i++)
			if (put_field(ctx, o, m, &m->fields[i], argv[i], false)) return -1;
		return 0;
	}
	if (argc < 1 || !JS_IsObject(argv[0])) {
		JS_ThrowTypeError(ctx, "%s: what it is about must be an object", m->name);
		return -1;
	}
	// An HTTP call and a reply may give their body as a value: property json.
	JSValue json = JS_UNDEFINED;
	bool has_body = m->fields == http_fields || m->fields == reply_fields;
	if (has_body) {
		json = JS_GetProperty(ctx, argv[0], atom_json);
		if (JS_IsException(json)) return -1;
	}
	int failed = 0;
	for (int i = 0; i < m->count && !failed; i++) {
		const Field *f = &m->fields[i];
		if (f->type == DATA && !JS_IsUndefined(json)) {
			uint32_t at = put_begin(o, f->number);
			failed = json_text(ctx, o, json, "json");
			put_end(o, at);
			continue;
		}
		JSValue v = JS_GetProperty(ctx, argv[0], f->atom);
		failed = JS_IsException(v) ? -1 : put_field(ctx, o, m, f, v, !JS_IsUndefined(json));
		JS_FreeValue(ctx, v);
	}
	JS_FreeValue(ctx, json);
	return failed;
}
