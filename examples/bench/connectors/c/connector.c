/* The C guest of the benchmark of guests: the same as go/handler. */
#include "railhead.h"

#define NOTE "The payment is in shillings, which this connector takes. It asks nobody, and says so in a sentence of length."

static rh_outcome work(rh_context *c, const rh_job *job) {
    if (!rh_is(rh_string(c, job, "currency"), "TZS")) return rh_fail(RH("CURRENCY"), RH("only shillings are taken"));
    rh_vars *vars = rh_object(c);
    rh_set_bool(vars, "accepted", true);
    rh_set(vars, "note", RH(NOTE));
    rh_set_json(vars, "transfer", rh_variable(job, "transfer"));
    return rh_complete(vars);
}

static rh_outcome hold(rh_context *c, const rh_job *job) {
    rh_vars *body = rh_object(c);
    rh_set(body, "account", rh_string(c, job, "account"));
    rh_set(body, "amount", rh_string(c, job, "amount"));
    rh_set(body, "currency", rh_string(c, job, "currency"));
    rh_http call = {
        .endpoint = RH("bank"), .method = RH("POST"), .path = RH("/holds"), .body = rh_write(body), .key = RH("hold"),
        .terms = {.amount = rh_string(c, job, "amount"), .currency = rh_string(c, job, "currency")},
    };
    rh_response bank;
    switch (rh_call(c, &call, &bank)) {
    case RH_WAITING: return rh_waiting();
    case RH_DONE: break;
    default: return rh_fail(RH("BANK"), c->error.text);
    }
    rh_vars *vars = rh_object(c);
    rh_set_bool(vars, "held", bank.status == 201);
    return rh_complete(vars);
}

static rh_outcome spin(rh_context *c, const rh_job *job) {
    (void)c, (void)job;
    for (;;) __asm__ volatile("");
}

const rh_connector railhead_connector = {
    .jobs = (const rh_job_handler[]){{"work", work}, {"hold", hold}, {"spin", spin}, {0}},
};
