//! The Rust guest of the benchmark of guests: the same as go/handler.

use railhead::{vars, Context, Http, Job, Outcome, Terms};

railhead::connector! {
    jobs { "work" => work, "hold" => hold, "spin" => spin }
}

async fn work(_: Context<'_>, job: Job<'_>) -> Outcome {
    if job.text("currency") != "TZS" {
        return Outcome::fail("CURRENCY", "only shillings are taken");
    }
    Outcome::complete(vars! { "accepted": true, "note": NOTE, "transfer": job.json("transfer") })
}

const NOTE: &str =
    "The payment is in shillings, which this connector takes. It asks nobody, and says so in a sentence of length.";

async fn hold(ctx: Context<'_>, job: Job<'_>) -> Outcome {
    let body = vars! {
        "account": job.text("account"), "amount": job.text("amount"), "currency": job.text("currency"),
    };
    let call = Http::post("bank", "/holds")
        .body(body.json())
        .key("hold")
        .terms(Terms::new(job.text("amount"), job.text("currency")));
    match ctx.http(call).await {
        Err(failure) => Outcome::fail("BANK", failure.to_string()),
        Ok(bank) => Outcome::complete(vars! { "held": bank.status == 201 }),
    }
}

async fn spin(_: Context<'_>, _: Job<'_>) -> Outcome {
    loop {
        std::hint::spin_loop();
    }
}
