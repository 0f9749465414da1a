// What a handler is given: the job or request that it serves, and the responses of
// HTTP calls. They are views of the step's request: what is in them is read when it
// is asked for, and once the step is over they say so instead of answering.
#include <stdlib.h>

#include "engine.h"

static JSClassID job_class, request_class, response_class;

// ENTRY_BITS of a view's opaque value are the entry of the history that it shows;
// the rest is the step.
enum { ENTRY_BITS = 6 };

static void *view_tag(int entry) { return (void *)(uintptr_t)(step.number << ENTRY_BITS | (uint32_t)entry); }

static Span current_job, current_request;
static Span answers[ENTRIES_MAX];

// view returns the encoded message behind an object, or a NULL address with an
// exception.
static Span view(JSContext *ctx, JSValueConst this_val, JSClassID class) {
	Span none = {NULL, 0};
	// JS_SetOpaque keeps no object without opaque apart from one of another class.
	uintptr_t tag = (uintptr_t)JS_GetOpaque2(ctx, this_val, class);
	if (!tag) return none;
	if (!step.running || (uint32_t)tag >> ENTRY_BITS != (step.number & (UINT32_MAX >> ENTRY_BITS))) {
		JS_ThrowTypeError(ctx, "this object belongs to a step that is over: do not keep it");
		return none;
	}
	if (class == job_class) return current_job;
	if (class == request_class) return current_request;
	return answers[tag & ((1 << ENTRY_BITS) - 1)];
}

static JSValue malformed(JSContext *ctx) {
	return JS_ThrowInternalError(ctx, "the step request does not decode: it is not valid Protocol Buffers");
}

// parse_json parses in place: QuickJS wants a zero behind the text.
JSValue parse_json(JSContext *ctx, Span json, const char *name) {
	uint8_t *end = (uint8_t *)json.at + json.len;
	uint8_t kept = *end;
	*end = 0;
	JSValue v = JS_ParseJSON(ctx, (const char *)json.at, json.len, name);
	*end = kept;
	return v;
}

JSValue bytes_value(JSContext *ctx, Span bytes) { return JS_NewUint8ArrayCopy(ctx, bytes.at, bytes.len); }

// -------------------------------------------------------------- variables

typedef struct {
	Span name, json;
} Variable;

static struct {
	Variable *at;
	uint32_t count, cap;
} variables;

static bool decode_variables(void) {
	Fields f = fields_of(current_job);
	variables.count = 0;
	while (fields_next(&f)) {
		if (f.number != 5) continue;
		if (variables.count == variables.cap) {
			variables.cap = variables.cap ? 2 * variables.cap : 32;
			variables.at = realloc(variables.at, variables.cap * sizeof(Variable));
			if (!variables.at) out_of_memory();
		}
		Variable *v = &variables.at[variables.count++];
		if (!pair(fields_text(&f), &v->name, &v->json)) return false;
	}
	return !f.bad;
}

static Span variable(const char *name, size_t length) {
	for (uint32_t i = 0; i < variables.count; i++) {
		const Variable *v = &variables.at[i];
		if (v->name.len == length && memcmp(v->name.at, name, length) == 0) return v->json;
	}
	return (Span){NULL, 0};
}

static bool is_null(Span json) { return json.len == 0 || (json.len == 4 && memcmp(json.at, "null", 4) == 0); }

// scalar_text is the text of a JSON scalar: a string's contents, else the JSON
// itself; "" for null and for a string that is not well formed.
static JSValue scalar_text(JSContext *ctx, Span json) {
	if (is_null(json)) return JS_NewStringLen(ctx, "", 0);
	if (json.at[0] != '"') return text_value(ctx, json);
	if (json.len >= 2 && json.at[json.len - 1] == '"' && !memchr(json.at, '\\', json.len) &&
	    !memchr(json.at + 1, '"', json.len - 2))
		return JS_NewStringLen(ctx, (const char *)json.at + 1, json.len - 2);
	JSValue v = parse_json(ctx, json, "variable");
	if (!JS_IsException(v)) return v;
	JS_FreeValue(ctx, JS_GetException(ctx));
	return JS_NewStringLen(ctx, "", 0);
}

// integer reads a whole number that JavaScript can hold, written as a number or as a
// string.
static JSValue integer(Span json) {
	const uint8_t *p = json.at, *end = json.at + json.len;
	if (json.len >= 2 && *p == '"' && end[-1] == '"') p++, end--;
	bool negative = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+')) p++;
	if (p == end || end - p > 16) return JS_UNDEFINED;
	int64_t n = 0;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9') return JS_UNDEFINED;
		n = n * 10 + (*p - '0');
	}
	if (n > 9007199254740991) return JS_UNDEFINED;
	return JS_NewNumber(NULL, (double)(negative ? -n : n));
}

// -------------------------------------------------------------------- job

enum { VAR_TEXT, VAR_JSON, VAR_VALUE, VAR_HAS, VAR_FLAG, VAR_INT };

static JSValue job_variable(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic) {
	if (!view(ctx, this_val, job_class).at) return JS_EXCEPTION;
	size_t length;
	const char *name = JS_ToCStringLen(ctx, &length, argv[0]);
	if (!name) return JS_EXCEPTION;
	Span json = variable(name, length);
	JSValue v = JS_UNDEFINED;
	switch (magic) {
	case VAR_TEXT: v = scalar_text(ctx, json); break;
	case VAR_JSON: if (json.at) v = text_value(ctx, json); break;
	case VAR_VALUE: if (json.at) v = parse_json(ctx, json, name); break;
	case VAR_HAS: v = JS_NewBool(ctx, !is_null(json)); break;
	case VAR_FLAG: v = JS_NewBool(ctx, json.len == 4 && memcmp(json.at, "true", 4) == 0); break;
	case VAR_INT: if (json.at) v = integer(json); break;
	}
	JS_FreeCString(ctx, name);
	return v;
}

static JSValue job_variables(JSContext *ctx, JSValueConst this_val) {
	if (!view(ctx, this_val, job_class).at) return JS_EXCEPTION;
	JSValue all = JS_NewObject(ctx);
	for (uint32_t i = 0; i < variables.count && !JS_IsException(all); i++) {
		const Variable *v = &variables.at[i];
		JSAtom name = JS_NewAtomLen(ctx, (const char *)v->name.at, v->name.len);
		JSValue value = is_null(v->json) ? JS_NULL : parse_json(ctx, v->json, "variable");
		if (JS_IsException(value) || JS_DefinePropertyValue(ctx, all, name, value, JS_PROP_C_W_E) < 0) {
			JS_FreeValue(ctx, all);
			all = JS_EXCEPTION;
		}
		JS_FreeAtom(ctx, name);
	}
	return all;
}

static JSValue job_names(JSContext *ctx, JSValueConst this_val) {
	if (!view(ctx, this_val, job_class).at) return JS_EXCEPTION;
	JSValue names = JS_NewArray(ctx);
	for (uint32_t i = 0; i < variables.count; i++)
		JS_SetPropertyUint32(ctx, names, i, text_value(ctx, variables.at[i].name));
	return names;
}

static JSValue prior_value(JSContext *ctx, Span message) {
	Span key, wire;
	if (!pair(message, &key, &wire)) return malformed(ctx);
	JSValue prior = JS_NewObject(ctx);
	JS_SetPropertyStr(ctx, prior, "key", text_value(ctx, key));
	JS_SetPropertyStr(ctx, prior, "idempotencyKey", text_value(ctx, wire));
	return prior;
}

static JSValue job_prior(JSContext *ctx, JSValueConst this_val) {
	Span job = view(ctx, this_val, job_class);
	if (!job.at) return JS_EXCEPTION;
	JSValue all = JS_NewArray(ctx);
	Fields f = fields_of(job);
	for (uint32_t n = 0; fields_next(&f);)
		if (f.number == 7) JS_SetPropertyUint32(ctx, all, n++, prior_value(ctx, fields_text(&f)));
	return all;
}

static JSValue job_doubt(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
	Span job = view(ctx, this_val, job_class);
	if (!job.at) return JS_EXCEPTION;
	size_t length;
	const char *want = JS_ToCStringLen(ctx, &length, argv[0]);
	if (!want) return JS_EXCEPTION;
	JSValue found = JS_UNDEFINED;
	Fields f = fields_of(job);
	while (JS_IsUndefined(found) && fields_next(&f)) {
		Span key, wire;
		if (f.number == 7 && pair(fields_text(&f), &key, &wire) && key.len == length && memcmp(key.at, want, length) == 0)
			found = prior_value(ctx, f.span);
	}
	JS_FreeCString(ctx, want);
	return found;
}

// ----------------------------------------------------------------- getters

// A getter's magic says which field it reads, and how.
enum { GET_TEXT = 0, GET_UINT = 1 << 5, GET_DATE = 2 << 5, GET_BYTES = 3 << 5, GET_PAIRS = 4 << 5, GET_HOW = 7 << 5 };

static JSValue get(JSContext *ctx, Span message, int magic) {
	uint32_t number = magic & 31;
	Span text = {message.at, 0};
	uint64_t n = 0;
	if ((magic & GET_HOW) == GET_PAIRS) {
		JSValue all = JS_NewObject(ctx);
		Fields f = fields_of(message);
		while (fields_next(&f)) {
			Span key, value;
			if (f.number != number || !pair(fields_text(&f), &key, &value)) continue;
			JSAtom name = JS_NewAtomLen(ctx, (const char *)key.at, key.len);
			if (JS_HasProperty(ctx, all, name) == 0) // the first counts
				JS_DefinePropertyValue(ctx, all, name, text_value(ctx, value), JS_PROP_C_W_E);
			JS_FreeAtom(ctx, name);
		}
		return all;
	}
	Fields f = fields_of(message);
	while (fields_next(&f)) {
		if (f.number != number) continue;
		if (f.type == VARINT) n = f.bits;
		else text = fields_text(&f);
	}
	if (f.bad) return malformed(ctx);
	switch (magic & GET_HOW) {
	case GET_UINT: return JS_NewInt64(ctx, (uint32_t)n);
	case GET_DATE: return JS_NewDate(ctx, (double)(int64_t)n);
	case GET_BYTES: return bytes_value(ctx, text);
	}
	return text_value(ctx, text);
}

// find returns the value of a pair by its name, and undefined if there is none.
static JSValue find(JSContext *ctx, Span message, uint32_t number, JSValueConst name, bool lower) {
	size_t length;
	const char *text = JS_ToCStringLen(ctx, &length, name);
	if (!text) return JS_EXCEPTION;
	char *folded = js_strndup(ctx, text, length);
	JS_FreeCString(ctx, text);
	if (!folded) return JS_EXCEPTION;
	for (size_t i = 0; lower && i < length; i++)
		if (folded[i] >= 'A' && folded[i] <= 'Z') folded[i] |= 0x20;
	Span value = lookup(message, number, folded, length);
	js_free(ctx, folded);
	return value.at ? text_value(ctx, value) : JS_UNDEFINED;
}

#define ACCESS(kind) \
	static JSValue kind##_get(JSContext *ctx, JSValueConst this_val, int magic) { \
		Span m = view(ctx, this_val, kind##_class); \
		return m.at ? get(ctx, m, magic) : JS_EXCEPTION; \
	} \
	static JSValue kind##_find(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic) { \
		Span m = view(ctx, this_val, kind##_class); \
		return m.at ? find(ctx, m, magic & 31, argv[0], magic & 32) : JS_EXCEPTION; \
	}

ACCESS(job)
ACCESS(request)
ACCESS(response)

enum { LOWER = 32 };

static Span field(Span message, uint32_t number) {
	Span out = {message.at, 0};
	Fields f = fields_of(message);
	while (fields_next(&f))
		if (f.number == number) out = fields_text(&f);
	return out;
}

// body_as gives the body as text, or parsed; magic is 1 for the latter.
static JSValue body_as(JSContext *ctx, Span body, int magic) {
	return magic ? parse_json(ctx, body, "body") : text_value(ctx, body);
}

static JSValue request_body(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic) {
	Span m = view(ctx, this_val, request_class);
	return m.at ? body_as(ctx, field(m, 7), magic) : JS_EXCEPTION;
}

static JSValue response_body(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic) {
	Span m = view(ctx, this_val, response_class);
	return m.at ? body_as(ctx, field(m, 3), magic) : JS_EXCEPTION;
}

#define METHOD(name, function, magic) JS_CFUNC_MAGIC_DEF(name, 1, function, magic)
#define GETTER(name, function, magic) JS_CGETSET_MAGIC_DEF(name, function, NULL, magic)

static const JSCFunctionListEntry job_properties[] = {
	GETTER("type", job_get, 1),
	GETTER("payment", job_get, 2),
	GETTER("attempt", job_get, 3 | GET_UINT),
	GETTER("retries", job_get, 4 | GET_UINT),
	GETTER("element", job_get, 8),
	GETTER("flow", job_get, 9),
	GETTER("paymentStarted", job_get, 10 | GET_DATE),
	METHOD("header", job_find, 6),
	METHOD("string", job_variable, VAR_TEXT),
	METHOD("json", job_variable, VAR_JSON),
	METHOD("get", job_variable, VAR_VALUE),
	METHOD("has", job_variable, VAR_HAS),
	METHOD("bool", job_variable, VAR_FLAG),
	METHOD("int", job_variable, VAR_INT),
	JS_CGETSET_DEF("variables", job_variables, NULL),
	JS_CGETSET_DEF("names", job_names, NULL),
	JS_CGETSET_DEF("prior", job_prior, NULL),
	JS_CFUNC_DEF("doubt", 1, job_doubt),
};

static const JSCFunctionListEntry request_properties[] = {
	GETTER("route", request_get, 1),
	GETTER("method", request_get, 2),
	GETTER("path", request_get, 3),
	GETTER("headers", request_get, 6 | GET_PAIRS),
	GETTER("body", request_get, 7 | GET_BYTES),
	METHOD("param", request_find, 4),
	METHOD("query", request_find, 5),
	METHOD("header", request_find, 6 | LOWER),
	METHOD("text", request_body, 0),
	METHOD("json", request_body, 1),
};

static const JSCFunctionListEntry response_properties[] = {
	GETTER("status", response_get, 1 | GET_UINT),
	GETTER("headers", response_get, 2 | GET_PAIRS),
	GETTER("body", response_get, 3 | GET_BYTES),
	METHOD("header", response_find, 2 | LOWER),
	METHOD("text", response_body, 0),
	METHOD("json", response_body, 1),
};

static int class_init(JSContext *ctx, JSClassID *id, const char *name, const JSCFunctionListEntry *properties, int count) {
	JSClassDef def = {.class_name = name};
	JS_NewClassID(JS_GetRuntime(ctx), id);
	if (JS_NewClass(JS_GetRuntime(ctx), *id, &def)) return -1;
	JSValue proto = JS_NewObject(ctx);
	if (JS_IsException(proto) || JS_SetPropertyFunctionList(ctx, proto, properties, count)) return -1;
	JS_SetClassProto(ctx, *id, proto);
	return 0;
}

#define CLASS(kind, name) \
	class_init(ctx, &kind##_class, name, kind##_properties, sizeof kind##_properties / sizeof(JSCFunctionListEntry))

int message_init(JSContext *ctx) {
	return CLASS(job, "Job") || CLASS(request, "Request") || CLASS(response, "Response") ? -1 : 0;
}

static JSValue new_view(JSContext *ctx, JSClassID class, int entry) {
	JSValue v = JS_NewObjectClass(ctx, class);
	if (!JS_IsException(v)) JS_SetOpaque(v, view_tag(entry));
	return v;
}

JSValue new_job(JSContext *ctx, Span job) {
	current_job = job;
	return decode_variables() ? new_view(ctx, job_class, 0) : malformed(ctx);
}

JSValue new_request(JSContext *ctx, Span request) {
	current_request = request;
	return new_view(ctx, request_class, 0);
}

JSValue new_response(JSContext *ctx, Span answer, int entry) {
	answers[entry] = answer;
	return new_view(ctx, response_class, entry);
}

JSValue new_frame(JSContext *ctx, Span frame) {
	static const char *const events[] = {"frame", "opened", "idle"};
	Span link = {frame.at, 0}, data = {frame.at, 0};
	uint64_t event = 0;
	Fields f = fields_of(frame);
	while (fields_next(&f)) {
		if (f.number == 1) link = fields_text(&f);
		if (f.number == 2) data = fields_text(&f);
		if (f.number == 3) event = fields_uint(&f);
	}
	if (f.bad) return malformed(ctx);
	JSValue v = JS_NewObject(ctx);
	JS_SetPropertyStr(ctx, v, "link", text_value(ctx, link));
	JS_SetPropertyStr(ctx, v, "data", bytes_value(ctx, data));
	JS_SetPropertyStr(ctx, v, "event", JS_NewString(ctx, event < 3 ? events[event] : "unknown"));
	return v;
}
