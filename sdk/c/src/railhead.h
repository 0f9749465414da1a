/* The C SDK for Railhead connectors.
 *
 * A connector joins the hub to one outside system. It is a function of what has
 * happened so far: it asks for effects, such as an HTTP call, which the hub
 * performs, and in the end it returns an outcome. README.md beside this file is
 * the way in; sdk/abi says how the bytes cross the boundary.
 *
 * In every step a handler runs from its beginning. An effect that has been
 * answered before is answered at once, from the history; the first that has not
 * returns RH_WAITING, and the handler then returns rh_waiting():
 *
 *     static rh_outcome block_funds(rh_context *c, const rh_job *job) {
 *         rh_http call = {
 *             .method = RH("POST"), .endpoint = RH("bank"), .path = RH("/holds"),
 *             .key = RH("hold"), .terms = {.amount = rh_string(c, job, "amount"), .currency = RH("TZS")},
 *         };
 *         rh_response bank;
 *         switch (rh_call(c, &call, &bank)) {
 *         case RH_WAITING:  return rh_waiting();
 *         case RH_IN_DOUBT: return rh_doubtful(RH("hold"), c->error.text);
 *         case RH_FAILED:   return rh_retry(rh_fail(RH("BANK"), c->error.text), 5000);
 *         case RH_DONE:     break;
 *         }
 *         rh_vars *vars = rh_object(c);
 *         rh_set_bool(vars, "transferPrepareFailed", bank.status != 201);
 *         return rh_complete(vars);
 *     }
 *
 *     const rh_connector railhead_connector = {
 *         .jobs = (const rh_job_handler[]){{"block-funds", block_funds}, {0}},
 *     };
 *
 * Memory. Whatever a function here returns lies in the step's memory: it is
 * there until the step ends, and is never freed. Keep nothing of it in a static;
 * keep nothing in a static at all that could change an answer.
 *
 * Errors. No function here fails for want of memory: the instance ends, as it
 * does for a mistake that rh_panic reports, and other payments go on.
 */
#ifndef RAILHEAD_H
#define RAILHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* -------------------------------------------------------------------- texts */

/* A text, or bytes, with its length. It does not end with a NUL, and may hold
 * one. Print it with "%.*s". */
typedef struct {
    const char *at;
    size_t length;
} rh_text;

/* A literal as a text. */
#define RH(literal) ((rh_text){"" literal, sizeof(literal) - 1})

rh_text rh_from(const char *nul_terminated);
bool rh_equal(rh_text a, rh_text b);
bool rh_is(rh_text a, const char *nul_terminated);
int rh_compare(rh_text a, rh_text b); /* below, equal, above: -1, 0, 1 */

typedef struct rh_context rh_context;

/* The texts one after the other: rh_concat(c, RH("/holds/"), id). */
#define rh_concat(c, ...) \
    rh_concat_all(c, sizeof((rh_text[]){__VA_ARGS__}) / sizeof(rh_text), (rh_text[]){__VA_ARGS__})
rh_text rh_concat_all(rh_context *c, size_t count, const rh_text *texts);

/* A number in decimal. */
rh_text rh_decimal(rh_context *c, int64_t n);

/* A text as one segment of a path, or as a value in a query. */
rh_text rh_escape(rh_context *c, rh_text text);

/* A time as 2026-01-02T03:04:05Z, and to the millisecond. */
rh_text rh_rfc3339(rh_context *c, int64_t ms);
rh_text rh_rfc3339_ms(rh_context *c, int64_t ms);

/* The SHA-256, of 32 bytes: what rh_start wants of the client's request. */
rh_text rh_sha256(rh_context *c, rh_text data);

/* Room in the step's memory, zeroed, aligned for anything. */
void *rh_room(rh_context *c, size_t bytes);

/* --------------------------------------------------------------------- JSON */

/* A JSON value inside a text that was checked as a whole, or nothing at all:
 * looking for what is not there gives a value that is missing, so that
 * rh_get(rh_get(body, "payer"), "id") needs no checks on the way. Numbers stay
 * text, since money is never a float. */
typedef struct {
    rh_text raw; /* empty if missing */
} rh_json;

/* Checks the text. If it is not JSON, false, and the value is missing. */
bool rh_parse(rh_text text, rh_json *out);

bool rh_exists(rh_json value); /* there, and not null */
bool rh_is_string(rh_json value);
bool rh_is_object(rh_json value);
bool rh_is_array(rh_json value);
bool rh_is_true(rh_json value);

/* An object's member; the last one, if there are several of the name. */
rh_json rh_get(rh_json object, const char *name);

/* The text of a scalar: what a string says, of a number or boolean its JSON;
 * else empty. */
rh_text rh_text_of(rh_context *c, rh_json value);

/* What a string says; of anything else empty. */
rh_text rh_string_of(rh_context *c, rh_json value);

/* An integer, written as a number or as a string. False if it is none, has a
 * fraction or an exponent, or does not fit. */
bool rh_int_of(rh_context *c, rh_json value, int64_t *out);

/* Walks over an array or an object:
 *     for (rh_walk w = rh_begin(list); rh_next(c, &w);) use(w.name, w.value); */
typedef struct {
    rh_text name; /* of a member; empty in an array */
    rh_json value;
    rh_text rest_; /* not for you */
    bool object_;
} rh_walk;
rh_walk rh_begin(rh_json list);
bool rh_next(rh_context *c, rh_walk *walk);

/* An object being written, such as the variables of a job. Names are written in
 * ascending order; one that is set again is replaced. */
typedef struct rh_vars rh_vars;
rh_vars *rh_object(rh_context *c);
void rh_set(rh_vars *vars, const char *name, rh_text text); /* a string */
void rh_set_bool(rh_vars *vars, const char *name, bool value);
void rh_set_int(rh_vars *vars, const char *name, int64_t value);
void rh_set_null(rh_vars *vars, const char *name);
void rh_set_json(rh_vars *vars, const char *name, rh_json value); /* missing: null */
void rh_set_vars(rh_vars *vars, const char *name, const rh_vars *value);

/* An array being written. */
typedef struct rh_list rh_list;
rh_list *rh_array(rh_context *c);
void rh_add(rh_list *list, rh_text text);
void rh_add_int(rh_list *list, int64_t value);
void rh_add_json(rh_list *list, rh_json value);
void rh_add_vars(rh_list *list, const rh_vars *value);
void rh_set_list(rh_vars *vars, const char *name, const rh_list *value);

/* The object's text. */
rh_text rh_write(const rh_vars *vars);

/* ------------------------------------------------------------------ context */

/* A handler's only door to the world. */
struct rh_context {
    rh_text tenant; /* the tenant's id */
    /* The tenant's configuration of this connector, an object, or missing.
     * Secrets in it are references: write them where they are needed as
     * {{secret:name}}, and the host substitutes them. */
    rh_json config;
    /* What the last checkpoint kept; empty if there was none. */
    rh_text state;
    /* When the last answer came in, or the trigger was raised, in milliseconds
     * since 1970 UTC: the same in every run of one history. */
    int64_t now_ms;
    /* Why the last effect returned RH_FAILED or RH_IN_DOUBT. */
    struct {
        rh_text code;            /* of a failure: one of the RH_... codes below */
        rh_text text;            /* for people */
        rh_text idempotency_key; /* of doubt: the UUID that was on the wire, or empty */
    } error;
    struct rh_step *step_; /* not for you */
};

/* 64 random bits, and a version 4 UUID: the same in every run of one history.
 * They are fit for identifiers, not for keys. */
uint64_t rh_random(rh_context *c);
rh_text rh_uuid(rh_context *c);

/* Reports, with the outcome, what became of a money effect that was in doubt:
 * done, or certainly not done. Say it only when the other side has said it; the
 * hub repeats an effect that is settled as not done. */
void rh_settle(rh_context *c, rh_text key, bool done);

/* Writes a line to the node's log, for whoever runs the connector. Never log
 * secrets or personal data. Lines that an earlier step has written already are
 * not written again. */
enum { RH_DEBUG = -4, RH_INFO = 0, RH_WARN = 4, RH_ERROR = 8 };
void rh_log(rh_context *c, int level, rh_text line);

/* Ends the instance because of a mistake in the connector: the attempt fails
 * with this text, and other payments go on. */
_Noreturn void rh_panic(const char *text);

/* ------------------------------------------------------------------ effects */

/* How an effect stands. */
typedef enum {
    RH_DONE,     /* answered */
    RH_WAITING,  /* return rh_waiting() now: the host performs it */
    RH_FAILED,   /* it certainly did not happen, or a query got no answer */
    RH_IN_DOUBT, /* it may have happened: never treat it as failed; enquire */
} rh_state;

/* Codes of failures; new ones may be added. sdk/abi documents each. */
#define RH_CONFLICT "CONFLICT"
#define RH_TERMS "TERMS"
#define RH_ENDPOINT "ENDPOINT"
#define RH_FORBIDDEN "FORBIDDEN"
#define RH_UNREACHABLE "UNREACHABLE"
#define RH_TIMEOUT "TIMEOUT"
#define RH_TOO_LARGE "TOO_LARGE"
#define RH_NOT_FOUND "NOT_FOUND"
#define RH_BUSY "BUSY"
#define RH_UNAVAILABLE "UNAVAILABLE"
#define RH_UNSUPPORTED "UNSUPPORTED"
#define RH_INVALID "INVALID"

typedef struct {
    rh_text name, value;
} rh_header;

enum { RH_HEADERS_MAX = 16 };

/* What a money effect is about. Asking again under the same key with other terms
 * is an error. */
typedef struct {
    rh_text amount;   /* decimal, as in "12.50" */
    rh_text currency; /* ISO 4217 */
    rh_text debtor, creditor;
} rh_terms;

/* A call of an endpoint that the manifest declares and the tenant has bound. */
typedef struct {
    rh_text endpoint, method;
    rh_text path; /* relative to the endpoint's base URL, escaped, with the query */
    /* Ends with the first without a name. Values may hold {{secret:name}}.
     * They are written by ascending name. */
    rh_header headers[RH_HEADERS_MAX];
    rh_text body;
    /* Makes this a money effect: the key names what is done, once per payment
     * ("hold", "book"), whichever job asks. Terms are then required. */
    rh_text key;
    rh_terms terms;
    int64_t timeout_ms; /* 0: the endpoint's own */
} rh_http;

/* An answered call of any status; redirects come as they are. */
typedef struct {
    int status;
    rh_text body;
    rh_text encoded_; /* not for you */
} rh_response;
rh_text rh_response_header(const rh_response *response, const char *name);

rh_state rh_call(rh_context *c, const rh_http *call, rh_response *out);

/* Starts a payment of a deployed flow. It is durable once it is answered. */
typedef struct {
    rh_text flow;           /* BPMN process id */
    rh_text client_key;     /* makes it idempotent */
    rh_text request_digest; /* 32 bytes: the same key with another one is RH_CONFLICT */
    const rh_vars *variables;
    rh_text uuid_variable; /* if set, the variable that receives the UUID */
} rh_start;
typedef struct {
    rh_text payment; /* UUID */
    bool repeated;   /* this is the first answer, given again */
} rh_started;
rh_state rh_start_payment(rh_context *c, const rh_start *start, rh_started *out);

/* Publishes a message to a waiting payment. */
typedef struct {
    rh_text name;
    rh_text key;    /* correlation key */
    rh_text id;     /* a second message with the same id is dropped; may be empty */
    int64_t ttl_ms; /* 0: it is taken now or not at all */
    const rh_vars *variables;
} rh_message;
rh_state rh_publish(rh_context *c, const rh_message *message, bool *duplicate);

/* What the hub tells about a payment. */
typedef struct {
    bool found;
    rh_text payment, state, result, code, flow, client_key;
    int64_t started_ms, ended_ms; /* 0: not yet */
    bool pending;                 /* the result was not there in time */
    rh_text encoded_;             /* not for you */
} rh_payment;
/* A variable that the query named. */
rh_json rh_payment_variable(const rh_payment *payment, const char *name);

enum { RH_QUERY_VARIABLES_MAX = 16 };
typedef struct {
    rh_text payment, client_key; /* one of them */
    const char *variables[RH_QUERY_VARIABLES_MAX]; /* ends with NULL */
} rh_query;
rh_state rh_query_payment(rh_context *c, const rh_query *query, rh_payment *out);
rh_state rh_await_result(rh_context *c, rh_text payment, int64_t timeout_ms, rh_payment *out);

/* Lets a job wait, durably. */
rh_state rh_sleep(rh_context *c, int64_t duration_ms);
/* The next number of a tenant's sequence, from 1; some may be lost. */
rh_state rh_sequence(rh_context *c, rh_text name, uint64_t *out);
/* An event on the payment's timeline. */
rh_state rh_emit(rh_context *c, rh_text name, const rh_vars *event);
/* Replaces the history so far by a state of at most 64 KiB and begins the handler
 * anew with c->state: it returns RH_FAILED, or RH_WAITING. */
rh_state rh_checkpoint(rh_context *c, rh_text state);

/* Sends a frame over a link and waits for the one that answers it. */
typedef struct {
    rh_text link, frame, match_key;
    int64_t timeout_ms;
    rh_text key; /* as in rh_http */
    rh_terms terms;
} rh_round_trip;
rh_state rh_exchange(rh_context *c, const rh_round_trip *call, rh_text *out);
/* Sends a frame that nothing answers. */
rh_state rh_send(rh_context *c, rh_text link, rh_text frame);
/* Hands a frame to the link's queue until a frame with that match key answers it. */
rh_state rh_forward(rh_context *c, rh_text link, rh_text match_key, rh_text frame, int64_t until_ms);

/* With keys that never leave the host. Algorithms have the names of RFC 7518. */
rh_state rh_sign(rh_context *c, rh_text key_ref, rh_text algorithm, rh_text data, rh_text *out);
rh_state rh_verify(rh_context *c, rh_text key_ref, rh_text algorithm, rh_text data, rh_text signature, bool *out);
rh_state rh_mac(rh_context *c, rh_text key_ref, rh_text algorithm, rh_text data, rh_text *out);
rh_state rh_encrypt(rh_context *c, rh_text key_ref, rh_text algorithm, rh_text data, rh_text additional, rh_text *out);
rh_state rh_tokenize(rh_context *c, rh_text kind, rh_text value, rh_text *out);
rh_state rh_detokenize(rh_context *c, rh_text token, rh_text *out);

/* ----------------------------------------------------------------- triggers */

/* One activation of a flow's task, or one run of a schedule. */
typedef struct {
    rh_text type;    /* as the manifest writes it, "{tenant}" included */
    rh_text payment; /* the payment's UUID */
    uint32_t attempt, retries; /* from 1; how many may follow */
    rh_text element, flow;     /* BPMN ids of the task and of the process */
    int64_t payment_started_ms;
    rh_text encoded_; /* not for you, as the next two */
    rh_header *variables_;
    size_t variables_count_;
} rh_job;
rh_json rh_variable(const rh_job *job, const char *name);              /* missing if it is not there */
rh_text rh_string(rh_context *c, const rh_job *job, const char *name); /* rh_text_of a variable */
rh_text rh_task_header(const rh_job *job, const char *name);
/* The money effect of that key which an earlier attempt left in doubt. */
bool rh_prior(const rh_job *job, const char *key, rh_text *idempotency_key);

/* An HTTP request from outside on one of the connector's routes. */
typedef struct {
    rh_text route, method, path, body;
    rh_text encoded_; /* not for you */
} rh_request;
rh_text rh_request_param(const rh_request *request, const char *name);
rh_text rh_request_query(const rh_request *request, const char *name);
rh_text rh_request_header(const rh_request *request, const char *name);

/* What came over a link, or what happened to it. */
typedef enum { RH_FRAME_CAME, RH_LINK_OPENED, RH_LINK_IDLE } rh_link_event;
typedef struct {
    rh_text link, data;
    rh_link_event event;
} rh_frame;

/* ----------------------------------------------------------------- outcomes */

/* How a handler ends: make it with one of the functions below. */
typedef struct {
    int kind_;
    rh_text code_, text_;
    bool retryable_;
    int64_t backoff_ms_;
    const rh_vars *variables_;
} rh_outcome;

rh_outcome rh_waiting(void);                          /* an effect waits */
rh_outcome rh_complete(const rh_vars *variables);     /* NULL: none */
rh_outcome rh_fail(rh_text code, rh_text reason);     /* opens an incident, unless rh_retry */
rh_outcome rh_retry(rh_outcome fail, int64_t backoff_ms); /* 0: the flow's own backoff */
rh_outcome rh_bpmn_error(rh_text code, rh_text message, const rh_vars *variables);
rh_outcome rh_doubtful(rh_text key, rh_text reason);  /* a person decides */

/* The answer to an HTTP request. */
typedef struct {
    int status; /* 0: 200 */
    rh_header headers[RH_HEADERS_MAX]; /* as in rh_http */
    rh_text body;
    bool waiting; /* an effect waits: return (rh_reply){.waiting = true} */
} rh_reply;

enum { RH_FRAMES_MAX = 16 };
/* The frames that go out in answer to one, in order. */
typedef struct {
    rh_text frames[RH_FRAMES_MAX];
    size_t count;
    bool waiting;
} rh_frames;

/* ---------------------------------------------------------------- connector */

typedef struct {
    const char *type; /* letter for letter as the manifest has it */
    rh_outcome (*run)(rh_context *, const rh_job *);
} rh_job_handler;
typedef struct {
    const char *name;
    rh_reply (*run)(rh_context *, const rh_request *);
} rh_route_handler;
typedef struct {
    const char *link;
    rh_frames (*run)(rh_context *, const rh_frame *);
    /* Which round trip, or forwarded frame, a frame answers; empty: none. */
    rh_text (*key)(rh_context *, rh_text frame);
} rh_link_handler;

/* What serves what. Each list ends with an entry without a name. */
typedef struct {
    const rh_job_handler *jobs;
    const rh_job_handler *schedules;
    const rh_route_handler *routes;
    const rh_link_handler *links;
} rh_connector;

/* Every connector defines this one. */
extern const rh_connector railhead_connector;

/* Runs one step: an encoded StepRequest in, an encoded StepReply out, which lies
 * in the step's memory until the next one. The module exports it; natively it is
 * for tests. */
rh_text railhead_run(rh_text request);

#endif
