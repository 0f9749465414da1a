// The sample connector of sdk/conformance in TypeScript; it passes the same vectors.
import { bpmnError, complete, Context, doubtful, fail, Failure, InDoubt, Job, Outcome, serve } from "railhead";

serve({ jobs: { "hold-{tenant}": hold } });

async function hold(c: Context, job: Job): Promise<Outcome> {
  if (!job.has("amount") || !job.has("currency")) return fail("MISSING", "the job needs amount and currency");
  const doubt = job.doubt("hold");
  if (doubt) return enquire(c, doubt.idempotencyKey);
  const [account, amount] = [job.string("account"), job.string("amount")];
  try {
    const response = await c.http({
      endpoint: "ledger",
      method: "POST",
      path: "/holds",
      headers: { authorization: "Bearer {{secret:ledger_token}}" },
      json: { account, amount },
      key: "hold",
      terms: { amount, currency: job.string("currency"), debtor: account },
    });
    switch (response.status) {
      case 201:
        c.log("info", "held", { status: response.status });
        return complete({ held: true, heldAt: c.now.toISOString().replace(/\.\d+Z$/, "Z") });
      case 422:
        return bpmnError("INSUFFICIENT_FUNDS", "the ledger refused the hold");
    }
    return fail("LEDGER", "the ledger answered with an unexpected status").retry(2000);
  } catch (problem) {
    if (problem instanceof InDoubt) return enquire(c, problem.idempotencyKey);
    if (problem instanceof Failure) return fail("LEDGER", problem.message).retry(2000);
    throw problem;
  }
}

// enquire asks what became of a hold.
async function enquire(c: Context, key: string): Promise<Outcome> {
  try {
    const response = await c.http({ endpoint: "enquiry", method: "GET", path: "/holds/" + key });
    if (response.status === 200) {
      c.settle("hold", true);
      return complete({ held: true });
    }
    if (response.status === 404) {
      c.settle("hold", false);
      return fail("NOT_HELD", "the hold did not arrive").retry();
    }
  } catch (problem) {
    if (!(problem instanceof Failure || problem instanceof InDoubt)) throw problem;
  }
  return doubtful("hold", "the ledger does not say whether it holds the money");
}
