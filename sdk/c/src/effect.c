/* What a connector may ask the host for, and what it is answered. */

#include "internal.h"

/* Kinds of effects: their fields in Effect. */
enum {
    HTTP = 2, START_PAYMENT, PUBLISH, AWAIT_RESULT, QUERY, SLEEP, SEQUENCE, EMIT, CHECKPOINT, ROUND_TRIP, SEND, FORWARD,
    SIGN, VERIFY, MAC, ENCRYPT, TOKENIZE, DETOKENIZE,
};

/* Kinds of answers: their fields in Answer. */
enum {
    ANSWER_NONE, ANSWER_HTTP, ANSWER_START, ANSWER_PUBLISH, ANSWER_QUERY, ANSWER_IN_DOUBT, ANSWER_FAILURE, ANSWER_SEQUENCE,
    ANSWER_BYTES, ANSWER_BOOL, ANSWER_DONE, ANSWER_TEXT,
};

/* An effect that is being written to the reply. */
typedef struct {
    rh_bytes *to;
    size_t effect, kind; /* where they begin */
    bool left;
    bool money; /* a money effect, perhaps */
} question;

static question begin(rh_context *c, uint32_t kind) {
    struct rh_step *s = c->step_;
    static rh_bytes nowhere; /* of an effect after one that waits */
    nowhere = (rh_bytes){0};
    question q = {.to = s->left ? &nowhere : &s->reply, .left = s->left, .money = kind == HTTP || kind == ROUND_TRIP};
    q.to->length = 0;
    size_t about = kind == HTTP ? 200 : 0;
    q.effect = rh_put_begin(q.to, RH_REPLY_EFFECTS, about);
    rh_put_uint(q.to, 1, s->ordinal + 1);
    q.kind = rh_put_begin(q.to, kind, about);
    return q;
}

static rh_state undecodable(rh_context *c) {
    rh_step_error(c, RH_UNDECODABLE);
    return RH_WAITING;
}

/* Asks for the effect. If it is RH_DONE there is an answer, perhaps of another
 * kind than the one that is hoped for. */
static rh_state ask(rh_context *c, question q, uint32_t *kind, rh_text *message) {
    struct rh_step *s = c->step_;
    if (q.left) return RH_WAITING;
    s->ordinal++;
    rh_put_end(q.to, q.kind);
    rh_text effect = {s->reply.at + q.effect, s->reply.length - q.effect};
    if (s->next == s->entries) {
        rh_put_end(q.to, q.effect);
        s->left = true;
        return RH_WAITING;
    }
    const rh_entry *e = &s->history[s->next];
    uint64_t got = rh_digest(effect);
    if (e->ordinal != s->ordinal || e->digest != got) {
        effect = rh_copy(effect.at, effect.length);
        s->reply.length = 0;
        size_t at = rh_put_begin(&s->reply, RH_REPLY_MISMATCH, 0);
        rh_put_uint(&s->reply, 1, s->ordinal);
        rh_put_fixed64(&s->reply, 2, e->digest);
        rh_put_fixed64(&s->reply, 3, got);
        rh_put(&s->reply, 4, effect);
        rh_put_end(&s->reply, at);
        s->left = true;
        return RH_WAITING;
    }
    s->next++;
    c->now_ms = e->time_ms;
    *kind = ANSWER_NONE;
    *message = (rh_text){0};
    rh_fields f = rh_read(e->answer);
    while (rh_field(&f)) { /* the last kind given counts */
        *message = rh_field_message(&f, f.number == *kind ? *message : (rh_text){0});
        *kind = f.number;
    }
    return f.bad ? undecodable(c) : RH_DONE;
}

/* Asks for the effect, and says what an answer of another kind stands for. */
static rh_state expect(rh_context *c, question q, uint32_t want, rh_text *message) {
    uint32_t kind;
    rh_state state = ask(c, q, &kind, message);
    if (state != RH_DONE || kind == want) return state;
    rh_text first, second;
    switch (kind) {
    case ANSWER_FAILURE:
        if (!rh_pair(*message, &first, &second)) return undecodable(c);
        c->error.code = first, c->error.text = second, c->error.idempotency_key = (rh_text){0};
        return RH_FAILED;
    case ANSWER_IN_DOUBT:
        if (!rh_pair(*message, &first, &second)) return undecodable(c);
        c->error.code = (rh_text){0}, c->error.text = second, c->error.idempotency_key = first;
        return RH_IN_DOUBT;
    case ANSWER_NONE:
        if (q.money) { /* settled as done by enquiry: there never was an answer to keep */
            c->error.code = c->error.idempotency_key = (rh_text){0};
            c->error.text = RH("it was done, but what the other side answered is lost: it was found out by enquiry");
            return RH_IN_DOUBT;
        }
    }
    /* A host's mistake; for the connector the effect got no answer. */
    c->error.code = RH(RH_INVALID), c->error.text = RH("the host answered with something else");
    c->error.idempotency_key = (rh_text){0};
    return RH_FAILED;
}

static bool has(const rh_terms *t) { return t->amount.length || t->currency.length || t->debtor.length || t->creditor.length; }

static void put_terms(rh_bytes *b, uint32_t number, const rh_terms *t) {
    if (!has(t)) return;
    size_t at = rh_put_begin(b, number, 0);
    rh_put(b, 1, t->amount);
    rh_put(b, 2, t->currency);
    rh_put(b, 3, t->debtor);
    rh_put(b, 4, t->creditor);
    rh_put_end(b, at);
}

rh_state rh_call(rh_context *c, const rh_http *call, rh_response *out) {
    *out = (rh_response){0};
    question q = begin(c, HTTP);
    rh_put(q.to, 1, call->endpoint);
    rh_put(q.to, 2, call->method);
    rh_put(q.to, 3, call->path);
    rh_put_headers(q.to, 4, call->headers);
    rh_put(q.to, 5, call->body);
    rh_put(q.to, 6, call->key);
    put_terms(q.to, 7, &call->terms);
    rh_put_uint(q.to, 8, (uint64_t)call->timeout_ms);
    rh_state state = expect(c, q, ANSWER_HTTP, &out->encoded_);
    if (state != RH_DONE) return state;
    rh_fields f = rh_read(out->encoded_);
    while (rh_field(&f)) {
        rh_text name, value;
        switch (f.number) {
        case 1: out->status = (int)(uint32_t)rh_field_uint(&f); break;
        case 2:
            if (!rh_pair(rh_field_text(&f), &name, &value)) return undecodable(c);
            break;
        case 3: out->body = rh_field_text(&f); break;
        }
    }
    return f.bad ? undecodable(c) : RH_DONE;
}

rh_state rh_start_payment(rh_context *c, const rh_start *start, rh_started *out) {
    *out = (rh_started){0};
    question q = begin(c, START_PAYMENT);
    rh_put(q.to, 1, start->flow);
    rh_put(q.to, 2, start->client_key);
    rh_put(q.to, 3, start->request_digest);
    rh_put_vars(q.to, 4, start->variables);
    rh_put(q.to, 5, start->uuid_variable);
    rh_text message;
    rh_state state = expect(c, q, ANSWER_START, &message);
    if (state != RH_DONE) return state;
    rh_fields f = rh_read(message);
    while (rh_field(&f)) {
        if (f.number == 1) out->payment = rh_field_text(&f);
        if (f.number == 2) out->repeated = rh_field_uint(&f) != 0;
    }
    return f.bad ? undecodable(c) : RH_DONE;
}

/* Reads field 1 of an answer that is one value. Either place may be NULL. */
static rh_state value_of(rh_context *c, rh_state state, rh_text message, uint64_t *number, rh_text *text) {
    if (number) *number = 0;
    if (text) *text = (rh_text){0};
    if (state != RH_DONE) return state;
    rh_fields f = rh_read(message);
    while (rh_field(&f)) {
        if (f.number != 1) continue;
        if (number) *number = rh_field_uint(&f);
        if (text) *text = rh_field_text(&f);
    }
    return f.bad ? undecodable(c) : RH_DONE;
}

rh_state rh_publish(rh_context *c, const rh_message *m, bool *duplicate) {
    question q = begin(c, PUBLISH);
    rh_put(q.to, 1, m->name);
    rh_put(q.to, 2, m->key);
    rh_put(q.to, 3, m->id);
    rh_put_uint(q.to, 4, (uint64_t)m->ttl_ms);
    rh_put_vars(q.to, 5, m->variables);
    rh_text message;
    uint64_t n;
    rh_state state = expect(c, q, ANSWER_PUBLISH, &message);
    state = value_of(c, state, message, &n, NULL);
    if (duplicate) *duplicate = n != 0;
    return state;
}

static rh_state payment(rh_context *c, question q, rh_payment *out) {
    *out = (rh_payment){0};
    rh_state state = expect(c, q, ANSWER_QUERY, &out->encoded_);
    if (state != RH_DONE) return state;
    rh_fields f = rh_read(out->encoded_);
    while (rh_field(&f)) {
        rh_text name, value;
        switch (f.number) {
        case 1: out->found = rh_field_uint(&f) != 0; break;
        case 2: out->payment = rh_field_text(&f); break;
        case 3: out->state = rh_field_text(&f); break;
        case 4: out->result = rh_field_text(&f); break;
        case 5: out->code = rh_field_text(&f); break;
        case 6: out->started_ms = (int64_t)rh_field_uint(&f); break;
        case 7: out->ended_ms = (int64_t)rh_field_uint(&f); break;
        case 8: out->flow = rh_field_text(&f); break;
        case 9: out->client_key = rh_field_text(&f); break;
        case 10: out->pending = rh_field_uint(&f) != 0; break;
        case 11:
            if (!rh_pair(rh_field_text(&f), &name, &value)) return undecodable(c);
        }
    }
    return f.bad ? undecodable(c) : RH_DONE;
}

rh_state rh_query_payment(rh_context *c, const rh_query *query, rh_payment *out) {
    question q = begin(c, QUERY);
    rh_put(q.to, 1, query->payment);
    rh_put(q.to, 2, query->client_key);
    for (int i = 0; i < RH_QUERY_VARIABLES_MAX && query->variables[i]; i++) rh_put_always(q.to, 3, rh_from(query->variables[i]));
    return payment(c, q, out);
}

rh_state rh_await_result(rh_context *c, rh_text uuid, int64_t timeout_ms, rh_payment *out) {
    question q = begin(c, AWAIT_RESULT);
    rh_put(q.to, 1, uuid);
    rh_put_uint(q.to, 2, (uint64_t)timeout_ms);
    return payment(c, q, out);
}

rh_json rh_payment_variable(const rh_payment *p, const char *name) {
    rh_text json;
    rh_json value = {0};
    if (rh_lookup(p->encoded_, 11, rh_from(name), &json)) rh_parse(json, &value);
    return value;
}

rh_state rh_sleep(rh_context *c, int64_t duration_ms) {
    question q = begin(c, SLEEP);
    rh_put_uint(q.to, 1, (uint64_t)duration_ms);
    rh_text message;
    return expect(c, q, ANSWER_DONE, &message);
}

rh_state rh_sequence(rh_context *c, rh_text name, uint64_t *out) {
    question q = begin(c, SEQUENCE);
    rh_put(q.to, 1, name);
    rh_text message;
    rh_state state = expect(c, q, ANSWER_SEQUENCE, &message);
    return value_of(c, state, message, out, NULL);
}

rh_state rh_emit(rh_context *c, rh_text name, const rh_vars *event) {
    question q = begin(c, EMIT);
    rh_put(q.to, 1, name);
    size_t at = rh_put_begin(q.to, 2, 0);
    rh_write_object(q.to, event);
    rh_put_end(q.to, at);
    rh_text message;
    return expect(c, q, ANSWER_DONE, &message);
}

rh_state rh_checkpoint(rh_context *c, rh_text state) {
    question q = begin(c, CHECKPOINT);
    rh_put(q.to, 1, state);
    rh_text message;
    return expect(c, q, ANSWER_DONE, &message);
}

rh_state rh_exchange(rh_context *c, const rh_round_trip *call, rh_text *out) {
    question q = begin(c, ROUND_TRIP);
    rh_put(q.to, 1, call->link);
    rh_put(q.to, 2, call->frame);
    rh_put(q.to, 3, call->match_key);
    rh_put_uint(q.to, 4, (uint64_t)call->timeout_ms);
    rh_put(q.to, 5, call->key);
    put_terms(q.to, 6, &call->terms);
    rh_text message;
    rh_state state = expect(c, q, ANSWER_BYTES, &message);
    return value_of(c, state, message, NULL, out);
}

rh_state rh_send(rh_context *c, rh_text link, rh_text frame) {
    question q = begin(c, SEND);
    rh_put(q.to, 1, link);
    rh_put(q.to, 2, frame);
    rh_text message;
    return expect(c, q, ANSWER_DONE, &message);
}

rh_state rh_forward(rh_context *c, rh_text link, rh_text match_key, rh_text frame, int64_t until_ms) {
    question q = begin(c, FORWARD);
    rh_put(q.to, 1, link);
    rh_put(q.to, 2, match_key);
    rh_put(q.to, 3, frame);
    rh_put_uint(q.to, 4, (uint64_t)until_ms);
    rh_text message;
    return expect(c, q, ANSWER_DONE, &message);
}

/* Sign, Mac, Encrypt and Verify begin alike. */
static question with_key(rh_context *c, uint32_t kind, rh_text key_ref, rh_text algorithm, rh_text data) {
    question q = begin(c, kind);
    rh_put(q.to, 1, key_ref);
    rh_put(q.to, 2, algorithm);
    rh_put(q.to, 3, data);
    return q;
}

static rh_state text_answer(rh_context *c, question q, uint32_t want, rh_text *out) {
    rh_text message;
    rh_state state = expect(c, q, want, &message);
    return value_of(c, state, message, NULL, out);
}

rh_state rh_sign(rh_context *c, rh_text key_ref, rh_text algorithm, rh_text data, rh_text *out) {
    return text_answer(c, with_key(c, SIGN, key_ref, algorithm, data), ANSWER_BYTES, out);
}

rh_state rh_verify(rh_context *c, rh_text key_ref, rh_text algorithm, rh_text data, rh_text signature, bool *out) {
    question q = with_key(c, VERIFY, key_ref, algorithm, data);
    rh_put(q.to, 4, signature);
    rh_text message;
    uint64_t n;
    rh_state state = expect(c, q, ANSWER_BOOL, &message);
    state = value_of(c, state, message, &n, NULL);
    *out = n != 0;
    return state;
}

rh_state rh_mac(rh_context *c, rh_text key_ref, rh_text algorithm, rh_text data, rh_text *out) {
    return text_answer(c, with_key(c, MAC, key_ref, algorithm, data), ANSWER_BYTES, out);
}

rh_state rh_encrypt(rh_context *c, rh_text key_ref, rh_text algorithm, rh_text data, rh_text additional, rh_text *out) {
    question q = with_key(c, ENCRYPT, key_ref, algorithm, data);
    rh_put(q.to, 4, additional);
    return text_answer(c, q, ANSWER_BYTES, out);
}

rh_state rh_tokenize(rh_context *c, rh_text kind, rh_text value, rh_text *out) {
    question q = begin(c, TOKENIZE);
    rh_put(q.to, 1, kind);
    rh_put(q.to, 2, value);
    return text_answer(c, q, ANSWER_TEXT, out);
}

rh_state rh_detokenize(rh_context *c, rh_text token, rh_text *out) {
    question q = begin(c, DETOKENIZE);
    rh_put(q.to, 1, token);
    return text_answer(c, q, ANSWER_TEXT, out);
}
