// The TypeScript guest of the benchmark of guests: the same as go/handler.
import { complete, Context, fail, Job, Outcome, RawJSON, serve } from "railhead";

serve({ jobs: { work, hold, spin } });

const note =
  "The payment is in shillings, which this connector takes. It asks nobody, and says so in a sentence of length.";

function work(_: Context, job: Job): Outcome {
  if (job.string("currency") !== "TZS") return fail("CURRENCY", "only shillings are taken");
  return complete({ accepted: true, note, transfer: new RawJSON(job.json("transfer") ?? "") });
}

async function hold(c: Context, job: Job): Promise<Outcome> {
  const [amount, currency] = [job.string("amount"), job.string("currency")];
  const bank = await c.http({
    endpoint: "bank", method: "POST", path: "/holds",
    body: JSON.stringify({ account: job.string("account"), amount, currency }),
    key: "hold",
    terms: { amount, currency },
  });
  return complete({ held: bank.status === 201 });
}

function spin(_c: Context, _job: Job): Outcome {
  for (;;);
}
