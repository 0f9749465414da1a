/* One step: decoding the request, running the handler, and the reply. */

#include "internal.h"

#include <string.h>

/* Kinds of triggers: their fields in Trigger. */
enum { TRIGGER_JOB = 3, TRIGGER_HTTP, TRIGGER_FRAME, TRIGGER_FRAME_KEY, TRIGGER_SCHEDULE };

/* Kinds of outcomes: their fields in Outcome. WAITING is no field. */
enum { WAITING = -1, NO_OUTCOME, COMPLETE, FAIL, BPMN_ERROR, DOUBT, REPLY, FRAMES, MATCH_KEY, SETTLEMENTS };

void rh_step_error(rh_context *c, rh_text text) {
    struct rh_step *s = c->step_;
    s->reply.length = 0;
    rh_put(&s->reply, RH_REPLY_ERROR, text);
    s->left = true;
}

void rh_settle(rh_context *c, rh_text key, bool done) {
    rh_settlement *settlement = rh_room(c, sizeof *settlement);
    *settlement = (rh_settlement){.key = key, .done = done};
    *c->step_->last_settlement = settlement;
    c->step_->last_settlement = &settlement->next;
}

void rh_put_headers(rh_bytes *b, uint32_t number, const rh_header *headers) {
    const rh_header *sorted[RH_HEADERS_MAX];
    int count = 0;
    for (; count < RH_HEADERS_MAX && headers[count].name.length; count++) {
        int place = count;
        for (; place && rh_compare(sorted[place - 1]->name, headers[count].name) > 0; place--) sorted[place] = sorted[place - 1];
        sorted[place] = &headers[count];
    }
    for (int i = 0; i < count; i++) rh_put_pair(b, number, sorted[i]->name, sorted[i]->value);
}

/* ----------------------------------------------------------------- triggers */

static void add_variable(rh_job *job, size_t *room, rh_text name, rh_text json) {
    if (job->variables_count_ == *room) {
        *room = *room ? *room * 2 : 16;
        rh_header *grown = rh_take(*room * sizeof *grown);
        if (job->variables_count_) memcpy(grown, job->variables_, job->variables_count_ * sizeof *grown);
        job->variables_ = grown;
    }
    job->variables_[job->variables_count_++] = (rh_header){name, json};
}

static bool read_job(rh_text message, rh_job *job) {
    *job = (rh_job){.encoded_ = message};
    size_t room = 0;
    rh_fields f = rh_read(message);
    while (rh_field(&f)) {
        rh_text name, value;
        switch (f.number) {
        case 1: job->type = rh_field_text(&f); break;
        case 2: job->payment = rh_field_text(&f); break;
        case 3: job->attempt = (uint32_t)rh_field_uint(&f); break;
        case 4: job->retries = (uint32_t)rh_field_uint(&f); break;
        case RH_JOB_VARIABLES:
            if (!rh_pair(rh_field_text(&f), &name, &value)) return false;
            add_variable(job, &room, name, value);
            break;
        case RH_JOB_HEADERS: case 7:
            if (!rh_pair(rh_field_text(&f), &name, &value)) return false;
            break;
        case 8: job->element = rh_field_text(&f); break;
        case 9: job->flow = rh_field_text(&f); break;
        case 10: job->payment_started_ms = (int64_t)rh_field_uint(&f); break;
        }
    }
    return !f.bad;
}

rh_json rh_variable(const rh_job *job, const char *name) {
    rh_json value = {0};
    rh_text wanted = rh_from(name);
    for (size_t i = 0; i < job->variables_count_; i++) {
        if (!rh_equal(job->variables_[i].name, wanted)) continue;
        rh_parse(job->variables_[i].value, &value);
        break;
    }
    return value;
}

rh_text rh_string(rh_context *c, const rh_job *job, const char *name) { return rh_text_of(c, rh_variable(job, name)); }

static rh_text found(rh_text message, uint32_t number, const char *name) {
    rh_text value;
    rh_lookup(message, number, rh_from(name), &value);
    return value;
}

/* Header names of HTTP are in lower case. */
static rh_text found_header(rh_text message, uint32_t number, const char *name) {
    rh_text given = rh_from(name), lower = rh_copy(given.at, given.length), value;
    for (size_t i = 0; i < lower.length; i++) {
        if (name[i] >= 'A' && name[i] <= 'Z') ((char *)lower.at)[i] = (char)(name[i] + 'a' - 'A');
    }
    rh_lookup(message, number, lower, &value);
    return value;
}

rh_text rh_task_header(const rh_job *job, const char *name) { return found(job->encoded_, RH_JOB_HEADERS, name); }
bool rh_prior(const rh_job *job, const char *key, rh_text *idempotency_key) {
    return rh_lookup(job->encoded_, 7, rh_from(key), idempotency_key);
}
rh_text rh_request_param(const rh_request *r, const char *name) { return found(r->encoded_, 4, name); }
rh_text rh_request_query(const rh_request *r, const char *name) { return found(r->encoded_, 5, name); }
rh_text rh_request_header(const rh_request *r, const char *name) { return found_header(r->encoded_, 6, name); }
rh_text rh_response_header(const rh_response *r, const char *name) { return found_header(r->encoded_, 2, name); }

static bool read_request(rh_text message, rh_request *request) {
    *request = (rh_request){.encoded_ = message};
    rh_fields f = rh_read(message);
    while (rh_field(&f)) {
        rh_text name, value;
        switch (f.number) {
        case 1: request->route = rh_field_text(&f); break;
        case 2: request->method = rh_field_text(&f); break;
        case 3: request->path = rh_field_text(&f); break;
        case 4: case 5: case 6:
            if (!rh_pair(rh_field_text(&f), &name, &value)) return false;
            break;
        case 7: request->body = rh_field_text(&f); break;
        }
    }
    return !f.bad;
}

static bool read_frame(rh_text message, rh_frame *frame) {
    *frame = (rh_frame){0};
    rh_fields f = rh_read(message);
    while (rh_field(&f)) {
        if (f.number == 1) frame->link = rh_field_text(&f);
        if (f.number == 2) frame->data = rh_field_text(&f);
        if (f.number == 3) frame->event = (rh_link_event)rh_field_uint(&f);
    }
    return !f.bad;
}

static bool read_schedule(rh_text message, rh_text *name, rh_text *job) {
    *name = *job = (rh_text){0};
    rh_fields f = rh_read(message);
    while (rh_field(&f)) {
        if (f.number == 1) *name = rh_field_text(&f);
        if (f.number == 2) *job = rh_field_message(&f, *job);
    }
    return !f.bad;
}

/* ----------------------------------------------------------------- outcomes */

rh_outcome rh_waiting(void) { return (rh_outcome){.kind_ = WAITING}; }
rh_outcome rh_complete(const rh_vars *variables) { return (rh_outcome){.kind_ = COMPLETE, .variables_ = variables}; }
rh_outcome rh_fail(rh_text code, rh_text reason) { return (rh_outcome){.kind_ = FAIL, .code_ = code, .text_ = reason}; }

rh_outcome rh_retry(rh_outcome fail, int64_t backoff_ms) {
    if (fail.kind_ == FAIL) fail.retryable_ = true, fail.backoff_ms_ = backoff_ms;
    return fail;
}

rh_outcome rh_bpmn_error(rh_text code, rh_text message, const rh_vars *variables) {
    return (rh_outcome){.kind_ = BPMN_ERROR, .code_ = code, .text_ = message, .variables_ = variables};
}

rh_outcome rh_doubtful(rh_text key, rh_text reason) { return (rh_outcome){.kind_ = DOUBT, .code_ = key, .text_ = reason}; }

/* Begins the outcome in the place of what was asked for on the way. */
static rh_bytes *begin_outcome(struct rh_step *s, size_t about) {
    s->reply.length = 0;
    s->outcome = rh_put_begin(&s->reply, RH_REPLY_OUTCOME, about);
    return &s->reply;
}

static void put_outcome(struct rh_step *s, rh_outcome o) {
    if (o.kind_ == NO_OUTCOME) o = rh_fail(RH("NO_OUTCOME"), RH("the connector returned an empty outcome"));
    size_t about = rh_vars_about(o.variables_);
    rh_bytes *b = begin_outcome(s, about);
    size_t at = rh_put_begin(b, (uint32_t)o.kind_, about);
    switch (o.kind_) {
    case COMPLETE: rh_put_vars(b, 1, o.variables_); break;
    case FAIL:
        rh_put_uint(b, 1, o.retryable_);
        rh_put_uint(b, 2, (uint64_t)o.backoff_ms_);
        rh_put(b, 3, o.text_);
        rh_put(b, 4, o.code_);
        break;
    case BPMN_ERROR:
        rh_put(b, 1, o.code_);
        rh_put(b, 2, o.text_);
        rh_put_vars(b, 3, o.variables_);
        break;
    default:
        rh_put(b, 1, o.code_);
        rh_put(b, 2, o.text_);
    }
    rh_put_end(b, at);
}

static void put_reply(struct rh_step *s, const rh_reply *reply) {
    size_t about = reply->body.length + 50;
    rh_bytes *b = begin_outcome(s, about);
    size_t at = rh_put_begin(b, REPLY, about);
    rh_put_uint(b, 1, reply->status ? (uint64_t)(uint32_t)reply->status : 200);
    rh_put_headers(b, 2, reply->headers);
    rh_put(b, 3, reply->body);
    rh_put_end(b, at);
}

static void put_frames(struct rh_step *s, const rh_frames *frames) {
    rh_bytes *b = begin_outcome(s, 0);
    size_t at = rh_put_begin(b, FRAMES, 0);
    for (size_t i = 0; i < frames->count && i < RH_FRAMES_MAX; i++) rh_put_always(b, 1, frames->frames[i]);
    rh_put_end(b, at);
}

/* --------------------------------------------------------------------- step */

/* Runs the handler of that name, or of the job's type, and writes the outcome into
 * the reply, unless it waits. False if the trigger does not decode. */
static bool run_job(rh_context *c, const rh_job_handler *handlers, const rh_text *schedule, rh_text message, bool *waits) {
    rh_job job;
    if (!read_job(message, &job)) return false;
    rh_text name = schedule ? *schedule : job.type;
    for (; handlers && handlers->type; handlers++) {
        if (!rh_is(name, handlers->type)) continue;
        rh_outcome outcome = handlers->run(c, &job);
        *waits = outcome.kind_ == WAITING;
        if (!*waits && !c->step_->left) put_outcome(c->step_, outcome);
        return true;
    }
    rh_text what = schedule ? RH("schedule ") : RH("job type ");
    put_outcome(c->step_, rh_fail(schedule ? RH("UNKNOWN_SCHEDULE") : RH("UNKNOWN_JOB"),
                                  rh_concat(c, RH("this connector does not serve "), what, name)));
    return true;
}

static bool handle(rh_context *c, uint32_t kind, rh_text trigger, bool *waits) {
    const rh_connector *served = &railhead_connector;
    *waits = false;
    switch (kind) {
    case TRIGGER_JOB: return run_job(c, served->jobs, NULL, trigger, waits);
    case TRIGGER_SCHEDULE: {
        rh_text name, job;
        if (!read_schedule(trigger, &name, &job)) return false;
        return run_job(c, served->schedules, &name, job, waits);
    }
    case TRIGGER_HTTP: {
        rh_request request;
        if (!read_request(trigger, &request)) return false;
        rh_reply reply = {.status = 404};
        for (const rh_route_handler *h = served->routes; h && h->name; h++) {
            if (!rh_is(request.route, h->name)) continue;
            reply = h->run(c, &request);
            break;
        }
        *waits = reply.waiting;
        if (!*waits && !c->step_->left) put_reply(c->step_, &reply);
        return true;
    }
    case TRIGGER_FRAME: case TRIGGER_FRAME_KEY: {
        rh_frame frame;
        if (!read_frame(trigger, &frame)) return false;
        rh_frames frames = {0};
        rh_text key = {0};
        for (const rh_link_handler *h = served->links; h && h->link; h++) {
            if (!rh_is(frame.link, h->link)) continue;
            if (kind == TRIGGER_FRAME && h->run) frames = h->run(c, &frame);
            if (kind == TRIGGER_FRAME_KEY && h->key) key = h->key(c, frame.data);
            break;
        }
        *waits = frames.waiting;
        if (*waits || c->step_->left) return true;
        if (kind == TRIGGER_FRAME) {
            put_frames(c->step_, &frames);
        } else {
            rh_bytes *out = begin_outcome(c->step_, 0);
            size_t at = rh_put_begin(out, MATCH_KEY, 0);
            rh_put(out, 1, key);
            rh_put_end(out, at);
        }
        return true;
    }
    }
    put_outcome(c->step_, rh_fail(RH("UNKNOWN_TRIGGER"), RH("this connector does not know the trigger")));
    return true;
}

static bool read_entry(rh_text message, rh_entry *entry) {
    *entry = (rh_entry){0};
    rh_fields f = rh_read(message);
    while (rh_field(&f)) {
        switch (f.number) {
        case 1: entry->ordinal = (uint32_t)rh_field_uint(&f); break;
        case 2: entry->digest = rh_field_fixed64(&f); break;
        case 3: entry->time_ms = (int64_t)rh_field_uint(&f); break;
        case 4: entry->answer = rh_field_message(&f, entry->answer); break;
        }
    }
    return !f.bad;
}

/* Reads the request as far as the trigger. */
static bool read_step(rh_context *c, rh_text request, uint32_t *kind, rh_text *trigger) {
    struct rh_step *s = c->step_;
    rh_text envelope = {0}, config = {0};
    size_t entries = 0;
    rh_fields f = rh_read(request);
    while (rh_field(&f)) entries += f.number == 3;
    s->history = rh_take(entries * sizeof *s->history);
    f = rh_read(request);
    while (rh_field(&f)) {
        switch (f.number) {
        case 1: config = rh_field_text(&f); break;
        case 2: envelope = rh_field_message(&f, envelope); break;
        case 3:
            if (!read_entry(rh_field_text(&f), &s->history[s->entries++])) return false;
            break;
        case 4: s->seed = rh_field_text(&f); break;
        case 5: c->state = rh_field_text(&f); break;
        }
    }
    if (f.bad) return false;
    rh_parse(config, &c->config);
    *kind = 0;
    f = rh_read(envelope);
    while (rh_field(&f)) {
        if (f.number == 1) c->now_ms = (int64_t)rh_field_uint(&f);
        if (f.number == 2) c->tenant = rh_field_text(&f);
        if (f.number < TRIGGER_JOB || f.number > TRIGGER_SCHEDULE) continue;
        *trigger = rh_field_message(&f, f.number == *kind ? *trigger : (rh_text){0});
        *kind = f.number;
    }
    /* A history that begins with a checkpoint is taken up behind it. */
    if (c->state.length && s->entries) {
        s->next = 1;
        s->ordinal = s->history[0].ordinal;
        c->now_ms = s->history[0].time_ms;
    }
    return !f.bad;
}

rh_text railhead_run(rh_text request) {
    rh_forget();
    struct rh_step step = {0};
    rh_context context = {.step_ = &step}, *c = &context;
    step.last_settlement = &step.settlements;
    uint32_t kind;
    rh_text trigger = {0};
    bool waits;
    if (!read_step(c, request, &kind, &trigger) || !handle(c, kind, trigger, &waits)) {
        rh_step_error(c, RH_UNDECODABLE);
    }
    if (step.left) return rh_bytes_text(&step.reply); /* whatever the handler made of it */
    if (waits) {
        rh_step_error(c, RH("the handler waits, but for no effect"));
    } else if (step.next < step.entries) { /* history is left over */
        const rh_entry *e = &step.history[step.next];
        step.reply.length = 0;
        size_t at = rh_put_begin(&step.reply, RH_REPLY_MISMATCH, 0);
        rh_put_uint(&step.reply, 1, e->ordinal);
        rh_put_fixed64(&step.reply, 2, e->digest);
        rh_put_end(&step.reply, at);
    } else {
        for (const rh_settlement *settled = step.settlements; settled; settled = settled->next) {
            size_t begun = rh_put_begin(&step.reply, SETTLEMENTS, 0);
            rh_put(&step.reply, 1, settled->key);
            rh_put_uint(&step.reply, 2, settled->done);
            rh_put_end(&step.reply, begun);
        }
        rh_put_end(&step.reply, step.outcome);
    }
    return rh_bytes_text(&step.reply);
}

/* ------------------------------------------------------------- the boundary */

#ifdef __wasm__
enum { FIRST_INPUT = 16 << 10, PAGE = 64 << 10 };

static char first_input[FIRST_INPUT];
static char *input = first_input;
static size_t input_bytes = FIRST_INPUT;

__attribute__((export_name("railhead_abi_v1"))) void railhead_abi_v1(void) {}

/* The same address until a larger buffer is asked for. A smaller one that was
 * outgrown is lost; the host asks for half as much again as it needs. */
__attribute__((export_name("railhead_buf"))) char *railhead_buf(size_t bytes) {
    if (bytes > input_bytes) {
        size_t page = __builtin_wasm_memory_grow(0, (bytes + PAGE - 1) / PAGE);
        if (page == (size_t)-1) rh_panic("out of memory");
        input = (char *)(page * PAGE);
        input_bytes = (bytes + PAGE - 1) / PAGE * PAGE;
    }
    return input;
}

__attribute__((export_name("railhead_step"))) uint64_t railhead_step(const char *request, size_t length) {
    rh_text reply = railhead_run((rh_text){request, length});
    return (uint64_t)(uintptr_t)reply.at << 32 | reply.length;
}
#endif
