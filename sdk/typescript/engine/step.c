// The boundary of sdk/abi: the exports, and one step from request to reply.
//
// railhead_load is called once, by the build: it evaluates the bundled script. The
// build then keeps the memory as it is and takes the export away, so that every
// instance of the connector begins where that call ended.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "engine.h"

static JSRuntime *rt;
static JSContext *ctx;
static JSValue served = JS_UNDEFINED; // what serve was given
static JSValue seal = JS_UNDEFINED;   // the SDK's function that freezes what scripts share
static JSAtom atom_jobs, atom_routes, atom_schedules, atom_links, atom_frame, atom_frame_key, atom_kind, atom_value;

static Out input, output;

_Noreturn void out_of_memory(void) {
	static const char line[] = "the connector is out of memory";
	host_log(8, line, sizeof line - 1);
	__builtin_trap();
}

// ------------------------------------------------------------------- clock

// QuickJS asks the C library what time it is; these stand in front of it, so that
// Date tells the time of the last answer that the handler was given.
int clock_gettime(clockid_t clock, struct timespec *out) {
	*out = (struct timespec){step.now / 1000, step.now % 1000 * 1000000};
	return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
	*out = (struct timeval){step.now / 1000, step.now % 1000 * 1000};
	return 0;
}

// ----------------------------------------------------------------- garbage

// Most of what a step leaves behind is freed as it is let go. Cycles are not, so
// they are collected when memory has grown by so much, between steps and never
// within one.
enum { GARBAGE_BYTES = 512 << 10 };

static size_t live, live_after_collection;

static size_t usable(const void *p) { return malloc_usable_size((void *)p); }

static void *counted(void *p) {
	live += usable(p);
	return p;
}

static void *js_count_malloc(void *opaque, size_t size) { return counted(malloc(size)); }
static void *js_count_calloc(void *opaque, size_t count, size_t size) { return counted(calloc(count, size)); }
static void js_count_free(void *opaque, void *p) {
	live -= usable(p);
	free(p);
}
static void *js_count_realloc(void *opaque, void *p, size_t size) {
	size_t before = usable(p);
	void *moved = realloc(p, size);
	if (moved) live -= before, counted(moved);
	return moved;
}

static const JSMallocFunctions allocator = {
	js_count_calloc, js_count_malloc, js_count_free, js_count_realloc, usable,
};

static void collect(void) {
	if (live < live_after_collection + GARBAGE_BYTES) return;
	JS_RunGC(rt);
	live_after_collection = live;
}

// ------------------------------------------------------------------ errors

enum { ERROR_MAX = 4 << 10 };

// put_error writes what a thrown value says, with its stack.
static void put_error(Out *o, JSValueConst thrown, const char *before) {
	char text[ERROR_MAX];
	size_t length = snprintf(text, sizeof text, "%s", before), more;
	const char *said = JS_ToCStringLen(ctx, &more, thrown);
	if (!said) {
		JS_FreeValue(ctx, JS_GetException(ctx));
		said = NULL;
	}
	length += snprintf(text + length, sizeof text - length, "%s", said ? said : "a value without text");
	if (said) JS_FreeCString(ctx, said);
	if (length >= sizeof text) length = sizeof text - 1;
	if (JS_IsError(thrown)) {
		JSValue stack = JS_GetPropertyStr(ctx, thrown, "stack");
		const char *lines = JS_IsString(stack) ? JS_ToCString(ctx, stack) : NULL;
		if (lines) {
			length += snprintf(text + length, sizeof text - length, "\n%s", lines);
			JS_FreeCString(ctx, lines);
		}
		JS_FreeValue(ctx, stack);
		JS_FreeValue(ctx, JS_GetException(ctx));
	}
	if (length >= sizeof text) length = sizeof text - 1;
	while (length && text[length - 1] == '\n') length--;
	put_element(o, 4, text, length);
}

static void put_exception(Out *o, const char *before) {
	JSValue thrown = JS_GetException(ctx);
	put_error(o, thrown, before);
	JS_FreeValue(ctx, thrown);
}

// --------------------------------------------------------------- rejections

// Promises that were rejected and that nobody has looked at.
enum { REJECTED_MAX = 64 };
static struct {
	JSValue promise, reason;
} rejected[REJECTED_MAX];
static int rejected_count;

static void track(JSContext *c, JSValueConst promise, JSValueConst reason, bool handled, void *opaque) {
	if (!handled) {
		if (rejected_count == REJECTED_MAX) return;
		rejected[rejected_count].promise = JS_DupValue(c, promise);
		rejected[rejected_count++].reason = JS_DupValue(c, reason);
		return;
	}
	for (int i = 0; i < rejected_count; i++) {
		if (!JS_IsStrictEqual(c, rejected[i].promise, promise)) continue;
		JS_FreeValue(c, rejected[i].promise);
		JS_FreeValue(c, rejected[i].reason);
		rejected[i] = rejected[--rejected_count];
		return;
	}
}

// -------------------------------------------------------------------- load

static JSValue native_serve(JSContext *c, JSValueConst this_val, int argc, JSValueConst *argv) {
	if (!JS_IsUndefined(served)) return JS_ThrowTypeError(c, "serve was called twice");
	if (!JS_IsObject(argv[0])) return JS_ThrowTypeError(c, "serve takes an object");
	served = JS_DupValue(c, argv[0]);
	return JS_UNDEFINED;
}

static JSValue native_seal(JSContext *c, JSValueConst this_val, int argc, JSValueConst *argv) {
	seal = JS_DupValue(c, argv[0]);
	return JS_UNDEFINED;
}

static int add_intrinsics(JSContext *c) {
	return JS_AddIntrinsicBaseObjects(c) || JS_AddIntrinsicDate(c) || JS_AddIntrinsicEval(c) ||
	       JS_AddIntrinsicRegExp(c) || JS_AddIntrinsicJSON(c) || JS_AddIntrinsicProxy(c) || JS_AddIntrinsicMapSet(c) ||
	       JS_AddIntrinsicTypedArrays(c) || JS_AddIntrinsicPromise(c) || JS_AddIntrinsicAToB(c);
	// No WeakRef and no FinalizationRegistry: they show when garbage is collected.
	// No performance: there is no other clock than the step's.
}

static int run_script(const char *script, uint32_t length) {
	atom_jobs = JS_NewAtom(ctx, "jobs");
	atom_routes = JS_NewAtom(ctx, "routes");
	atom_schedules = JS_NewAtom(ctx, "schedules");
	atom_links = JS_NewAtom(ctx, "links");
	atom_frame = JS_NewAtom(ctx, "frame");
	atom_frame_key = JS_NewAtom(ctx, "frameKey");
	atom_kind = JS_NewAtom(ctx, "kind");
	atom_value = JS_NewAtom(ctx, "value");
	JSValue global = JS_GetGlobalObject(ctx), native = JS_NewObject(ctx);
	JS_SetPropertyStr(ctx, native, "serve", JS_NewCFunction(ctx, native_serve, "serve", 1));
	JS_SetPropertyStr(ctx, native, "seal", JS_NewCFunction(ctx, native_seal, "seal", 1));
	if (schema_init(ctx) || message_init(ctx) || effect_init(ctx, native)) return -1;
	// The SDK takes it and takes it away again.
	if (JS_SetPropertyStr(ctx, global, "__railhead", native) < 0) return -1;
	JS_FreeValue(ctx, global);
	JSValue done = JS_Eval(ctx, script, length, "connector.js", JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_STRICT);
	if (JS_IsException(done)) return -1;
	JS_FreeValue(ctx, done);
	JSContext *other;
	while (JS_ExecutePendingJob(rt, &other) > 0) continue;
	if (JS_IsUndefined(served)) {
		JS_ThrowTypeError(ctx, "the script does not call serve");
		return -1;
	}
	if (rejected_count) {
		JS_Throw(ctx, JS_DupValue(ctx, rejected[0].reason));
		return -1;
	}
	done = JS_Call(ctx, seal, JS_UNDEFINED, 0, NULL);
	if (JS_IsException(done)) return -1;
	JS_FreeValue(ctx, done);
	JS_FreeValue(ctx, seal);
	seal = JS_UNDEFINED;
	return 0;
}

// railhead_load evaluates the script, which lies at ptr with a zero behind it. What
// it returns is like a step's reply: the text of an error, and nothing if all is
// well.
__attribute__((export_name("railhead_load")))
uint64_t railhead_load(const char *script, uint32_t length) {
	rt = JS_NewRuntime2(&allocator, NULL);
	if (!rt) out_of_memory();
	JS_SetGCThreshold(rt, (size_t)-1);
	JS_SetMaxStackSize(rt, STACK_BYTES - (64 << 10));
	ctx = JS_NewContextRaw(rt);
	if (!ctx || add_intrinsics(ctx)) out_of_memory();
	JS_SetHostPromiseRejectionTracker(rt, track, NULL);
	output.len = 0;
	if (run_script(script, length)) put_exception(&output, "");
	JS_RunGC(rt);
	live_after_collection = live;
	// The script is not needed any more, and its room would be kept with the rest.
	memset(input.data, 0, input.cap);
	free(input.data);
	input = (Out){0};
	return (uint64_t)(uintptr_t)output.data << 32 | output.len;
}

// -------------------------------------------------------------------- step

// Trigger is a decoded Trigger.
typedef struct {
	uint32_t kind;
	Span message;
} Trigger;

static bool decode(Span request, Trigger *t) {
	Span envelope = {request.at, 0};
	step.config = step.tenant = step.seed = step.state = envelope;
	Fields f = fields_of(request);
	while (fields_next(&f)) {
		switch (f.number) {
		case 1: step.config = fields_text(&f); break;
		case 2: envelope = fields_text(&f); break;
		case 3:
			if (step.entry_count == ENTRIES_MAX || !decode_entry(fields_text(&f), &step.entries[step.entry_count++])) return false;
			break;
		case 4: step.seed = fields_text(&f); break;
		case 5: step.state = fields_text(&f); break;
		}
	}
	if (f.bad) return false;
	for (f = fields_of(envelope); fields_next(&f);) {
		if (f.number == 1) step.now = (int64_t)fields_uint(&f);
		else if (f.number == 2) step.tenant = fields_text(&f);
		else if (f.number <= TRIGGER_SCHEDULE) *t = (Trigger){f.number, fields_text(&f)};
	}
	// A history that begins with a checkpoint is taken up behind it.
	if (step.state.len && step.entry_count) {
		step.base = step.entries[0].ordinal;
		step.now = step.entries[0].time_ms;
		step.entry_count--;
		memmove(step.entries, step.entries + 1, step.entry_count * sizeof(Entry));
	}
	return !f.bad;
}

// put_failure writes a Fail of the SDK's own.
static void put_failure(Out *o, const char *code, const char *reason, Span more) {
	uint32_t outcome = put_begin(o, 2), fail = put_begin(o, OUTCOME_FAIL);
	uint32_t at = put_begin(o, 3);
	put_raw(o, reason, strlen(reason));
	put_raw(o, more.at, more.len);
	put_end(o, at);
	put_text(o, 4, code, strlen(code));
	put_end(o, fail);
	put_end(o, outcome);
}

// handler finds the function that serves a name: an own property of an own
// property of what serve was given.
static JSValue handler(JSAtom group, Span name, JSAtom part) {
	JSValue found = JS_GetProperty(ctx, served, group);
	JSAtom atom = JS_NewAtomLen(ctx, (const char *)name.at, name.len);
	for (int depth = 0; depth < (part ? 2 : 1) && JS_IsObject(found); depth++) {
		JSAtom key = depth ? part : atom;
		JSValue inner = JS_UNDEFINED;
		if (JS_GetOwnProperty(ctx, NULL, found, key) > 0) inner = JS_GetProperty(ctx, found, key);
		JS_FreeValue(ctx, found);
		found = inner;
	}
	JS_FreeAtom(ctx, atom);
	if (JS_IsFunction(ctx, found) || JS_IsException(found)) return found;
	JS_FreeValue(ctx, found);
	return JS_UNDEFINED;
}

static Span text_field(Span message, uint32_t number) {
	Span out = {message.at, 0};
	Fields f = fields_of(message);
	while (fields_next(&f))
		if (f.number == number) out = fields_text(&f);
	return out;
}

// call runs the handler of a trigger. Without one it writes the outcome and returns
// JS_UNINITIALIZED.
static JSValue call(Trigger t, Out *o) {
	JSValue function, subject;
	Span name;
	switch (t.kind) {
	case TRIGGER_JOB:
		name = text_field(t.message, 1);
		function = handler(atom_jobs, name, JS_ATOM_NULL);
		if (JS_IsUndefined(function)) {
			put_failure(o, "UNKNOWN_JOB", "this connector does not serve job type ", name);
			return JS_UNINITIALIZED;
		}
		subject = new_job(ctx, t.message);
		break;
	case TRIGGER_HTTP:
		function = handler(atom_routes, text_field(t.message, 1), JS_ATOM_NULL);
		if (JS_IsUndefined(function)) {
			uint32_t outcome = put_begin(o, 2), reply = put_begin(o, OUTCOME_REPLY);
			put_uint(o, 1, 404);
			put_end(o, reply);
			put_end(o, outcome);
			return JS_UNINITIALIZED;
		}
		subject = new_request(ctx, t.message);
		break;
	case TRIGGER_FRAME:
	case TRIGGER_FRAME_KEY:
		name = text_field(t.message, 1);
		function = handler(atom_links, name, t.kind == TRIGGER_FRAME ? atom_frame : atom_frame_key);
		if (JS_IsUndefined(function)) {
			// A connector that says nothing of a link answers none of its frames.
			uint32_t outcome = put_begin(o, 2);
			put_end(o, put_begin(o, t.kind == TRIGGER_FRAME ? OUTCOME_FRAMES : OUTCOME_MATCH_KEY));
			put_end(o, outcome);
			return JS_UNINITIALIZED;
		}
		subject = new_frame(ctx, t.message);
		break;
	case TRIGGER_SCHEDULE:
		name = text_field(t.message, 1);
		function = handler(atom_schedules, name, JS_ATOM_NULL);
		if (JS_IsUndefined(function)) {
			put_failure(o, "UNKNOWN_SCHEDULE", "this connector does not serve schedule ", name);
			return JS_UNINITIALIZED;
		}
		subject = new_job(ctx, text_field(t.message, 2));
		break;
	default:
		put_failure(o, "UNKNOWN_TRIGGER", "this connector does not know the trigger", (Span){NULL, 0});
		return JS_UNINITIALIZED;
	}
	if (JS_IsException(function) || JS_IsException(subject)) {
		JS_FreeValue(ctx, function);
		JS_FreeValue(ctx, subject);
		return JS_EXCEPTION;
	}
	JSValue arguments[2] = {new_context(ctx), subject};
	JSValue result = JS_Call(ctx, function, JS_UNDEFINED, 2, arguments);
	JS_FreeValue(ctx, arguments[0]);
	JS_FreeValue(ctx, subject);
	JS_FreeValue(ctx, function);
	return result;
}

// put_outcome writes what the handler returned. It returns -1 with an exception.
static int put_outcome(Out *o, uint32_t trigger, JSValueConst value) {
	uint32_t outcome = put_begin(o, 2);
	int kind, failed;
	JSValue body = JS_UNDEFINED;
	if (trigger == TRIGGER_HTTP) {
		kind = OUTCOME_REPLY;
	} else if (trigger == TRIGGER_FRAME) {
		kind = OUTCOME_FRAMES;
	} else if (trigger == TRIGGER_FRAME_KEY) {
		kind = OUTCOME_MATCH_KEY;
	} else {
		if (!JS_IsObject(value)) {
			o->len = 0;
			put_failure(o, "NO_OUTCOME", "the handler returned no outcome", (Span){NULL, 0});
			return 0;
		}
		JSValue number = JS_GetProperty(ctx, value, atom_kind);
		if (JS_ToInt32(ctx, &kind, number)) return -1;
		JS_FreeValue(ctx, number);
		if (kind < OUTCOME_COMPLETE || kind > OUTCOME_DOUBT) {
			JS_ThrowTypeError(ctx, "a job ends with complete, fail, bpmnError or doubtful");
			return -1;
		}
		body = JS_GetProperty(ctx, value, atom_value);
		value = body;
	}
	uint32_t at = put_begin(o, kind);
	step.writing = true;
	failed = encode(ctx, o, &outcomes[kind], 1, &value);
	step.writing = false;
	// A status of zero means 200.
	if (!failed && kind == OUTCOME_REPLY && (o->len == at || o->data[at] != (1 << 3 | VARINT))) {
		static const uint8_t ok[] = {1 << 3 | VARINT, 0xc8, 0x01};
		put_raw(o, ok, sizeof ok);
		memmove(o->data + at + sizeof ok, o->data + at, o->len - at - sizeof ok);
		memcpy(o->data + at, ok, sizeof ok);
	}
	JS_FreeValue(ctx, body);
	put_end(o, at);
	put_raw(o, step.settlements.data, step.settlements.len);
	put_end(o, outcome);
	return failed;
}

// left_over writes a mismatch in the place of whatever is there, if the history has
// answers that nothing has asked for.
static bool left_over(Out *o) {
	if (step.delivered == step.entry_count) return false;
	const Entry *e = &step.entries[step.delivered];
	o->len = 0;
	uint32_t at = put_begin(o, 3);
	put_uint(o, 1, e->ordinal);
	put_fixed64(o, 2, e->digest);
	put_end(o, at);
	return true;
}

// finish decides what came of the step and writes it.
static void finish(Out *o, uint32_t trigger, JSValueConst result) {
	JSPromiseStateEnum state = JS_PromiseState(ctx, result);
	if (step.mismatch) {
		put_raw(o, step.mismatched.data, step.mismatched.len);
	} else if (state == JS_PROMISE_REJECTED) {
		JSValue reason = JS_PromiseResult(ctx, result);
		put_error(o, reason, "uncaught ");
		JS_FreeValue(ctx, reason);
	} else if (step.waiting_count) {
		// However the handler ended, an effect that waits comes first.
		put_raw(o, step.waiting.data, step.waiting.len);
	} else if (left_over(o)) {
		return;
	} else if (state == JS_PROMISE_PENDING) {
		static const char text[] = "the handler waits for something that no effect answers";
		put_element(o, 4, text, sizeof text - 1);
	} else if (rejected_count) {
		put_error(o, rejected[0].reason, "a promise that nobody waits for was rejected: ");
	} else {
		JSValue value = state == JS_PROMISE_FULFILLED ? JS_PromiseResult(ctx, result) : JS_DupValue(ctx, result);
		if (put_outcome(o, trigger, value)) {
			o->len = 0;
			put_exception(o, "uncaught ");
		}
		JS_FreeValue(ctx, value);
	}
}

static void run(Span request) {
	Out *o = &output;
	Trigger t = {0, {NULL, 0}};
	if (!decode(request, &t)) {
		static const char text[] = "the step request does not decode: it is not valid Protocol Buffers";
		put_element(o, 4, text, sizeof text - 1);
		return;
	}
	JSValue result = call(t, o);
	if (JS_IsUninitialized(result)) {
		left_over(o);
		return;
	}
	if (JS_IsException(result)) {
		put_exception(o, "uncaught ");
		// What it left behind may not run in the next step.
		JSContext *other;
		while (JS_ExecutePendingJob(rt, &other) > 0) continue;
		return;
	}
	if (JS_IsPromise(result)) JS_PromiseMarkAsHandled(ctx, result);
	int more;
	do {
		JSContext *other;
		while (JS_ExecutePendingJob(rt, &other) > 0) continue;
		more = deliver(ctx);
	} while (more > 0);
	if (more < 0) put_exception(o, "");
	else finish(o, t.kind, result);
	JS_FreeValue(ctx, result);
}

__attribute__((export_name("railhead_abi_v1"))) void railhead_abi_v1(void) {}

// The buffer has room for the zero that the parser of JSON wants behind its text.
__attribute__((export_name("railhead_buf")))
void *railhead_buf(uint32_t n) {
	enum { LEAST = 16 << 10 };
	if (n < LEAST) n = LEAST;
	if (n + 1 > input.cap) {
		free(input.data);
		input.data = malloc(n + 1);
		if (!input.data) out_of_memory();
		input.cap = n + 1;
	}
	return input.data;
}

__attribute__((export_name("railhead_step")))
uint64_t railhead_step(uint8_t *request, uint32_t length) {
	collect();
	JS_UpdateStackTop(rt);
	if (++step.number << 6 == 0) step.number++;
	step.running = true;
	step.base = step.entry_count = step.delivered = step.asked_count = step.waiting_count = 0;
	step.mismatch = step.seeded = false;
	step.waiting.len = step.mismatched.len = step.settlements.len = output.len = 0;
	step.now = 0;
	run((Span){request, length});
	step.running = false;
	for (uint32_t i = 0; i < step.asked_count; i++) {
		JS_FreeValue(ctx, step.asked[i].resolve);
		JS_FreeValue(ctx, step.asked[i].reject);
	}
	while (rejected_count) {
		rejected_count--;
		JS_FreeValue(ctx, rejected[rejected_count].promise);
		JS_FreeValue(ctx, rejected[rejected_count].reason);
	}
	return (uint64_t)(uintptr_t)output.data << 32 | output.len;
}
