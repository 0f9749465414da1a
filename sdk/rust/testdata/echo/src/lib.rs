//! The echo of sdk/parity, which says what it must do.

use railhead::*;
use std::borrow::Cow;

railhead::connector! {
    jobs {
        "echo" => echo,
        "panics" => panics,
        "side-by-side" => side_by_side,
    }
    schedules { "echo" => echo }
    frames { "echo" => frame }
    frame_keys { "echo" => frame_key }
}

async fn frame(ctx: Context<'_>, frame: Frame<'_>) -> Frames {
    let event = match frame.event {
        LinkEvent::Came => 0,
        LinkEvent::Opened => 1,
        LinkEvent::Idle => 2,
        LinkEvent::Other(n) => n,
    };
    let number = ctx.sequence("frames").await.map_or("none".to_string(), |n| n.to_string());
    Frames(vec![event.to_string().into(), frame.data.into(), number.into()])
}

fn frame_key(_: Context<'_>, data: &[u8]) -> String {
    hex(data)
}

async fn panics(_: Context<'_>, job: Job<'_>) -> Outcome {
    let nothing: Option<Outcome> = job.has("ask").then(|| unreachable!());
    nothing.expect("this job panics")
}

/// Two threads of effects; the second effect of the first waits until both threads
/// have their first answers.
async fn side_by_side(ctx: Context<'_>, _: Job<'_>) -> Outcome {
    let first = async {
        let a = ctx.sequence("a").await;
        let b = ctx.sequence("b").await;
        a.unwrap_or(0) + b.unwrap_or(0)
    };
    let (sum, rest) = join(first, join_all(["c", "d"].map(|name| ctx.sequence(name)))).await;
    let rest: u64 = rest.into_iter().map(|n| n.unwrap_or(0)).sum();
    Outcome::complete(vars! { "sum": sum + rest, "at": ctx.now().ms })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |b: u8| (b as char).to_digit(16).unwrap_or(0) as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn told<T>(answer: Result<T, Error>, tell: impl Fn(T) -> Vec<String>) -> Vars {
    let (state, text) = match answer {
        Ok(answer) => ("done", tell(answer)),
        Err(Error::Failure(f)) => ("failed", vec![f.code, f.text]),
        Err(Error::InDoubt(d)) => ("doubt", vec![d.idempotency_key, d.reason]),
    };
    vars! { "text": text, "state": state }
}

fn payment(p: Payment<'_>) -> Vec<String> {
    let ms = |t: Option<Time>| t.map_or(0, |t| t.ms).to_string();
    let x = p.json("x").raw().to_string();
    let (started, ended) = (ms(p.started), ms(p.ended));
    let pending = p.pending.to_string();
    vec![p.found.to_string(), p.payment, p.state, p.result, p.code, started, ended, p.flow, p.client_key, pending, x]
}

async fn one(ctx: Context<'_>, a: Json<'_>) -> Vars {
    let text = |name: &str| -> String { a.get(name).text().into_owned() };
    let bytes = |name: &str| unhex(&a.get(name).text());
    let time = |name: &str| Duration::from_millis(a.get(name).int().unwrap_or(0) as u64);
    let terms = a.get("amount").exists().then(|| {
        Terms::new(text("amount"), text("currency")).debtor(text("debtor")).creditor(text("creditor"))
    });
    let mut variables = Vars::new();
    for (name, value) in a.get("variables").members().collect::<Vec<_>>().iter().rev() {
        variables.set(name, &false); // replaced by the next
        variables.set(name, value);
    }
    let nothing = |()| vec![];
    let data = |b: Vec<u8>| vec![hex(&b)];
    match &*a.get("kind").text() {
        "http" => {
            let mut call = Http::new(text("method"), text("endpoint"), text("path"));
            for header in a.get("headers").items() {
                let parts: Vec<Cow<'_, str>> = header.items().map(|part| part.text()).collect();
                call = call.header(parts[0].clone().into_owned(), parts[1].clone().into_owned());
            }
            call = call.body(bytes("body")).key(text("key")).timeout(time("timeout"));
            if let Some(terms) = terms {
                call = call.terms(terms);
            }
            told(ctx.http(call).await, |r| vec![r.status.to_string(), r.header("X-Echo").to_string(), hex(r.body())])
        }
        "start-payment" => {
            let start = StartPayment {
                flow: &text("flow"),
                client_key: &text("client-key"),
                request_digest: &bytes("digest"),
                variables,
                uuid_variable: &text("uuid-variable"),
            };
            told(ctx.start_payment(start).await, |s| vec![s.payment, s.repeated.to_string()])
        }
        "publish" => {
            let message =
                Message { name: &text("name"), key: &text("key"), id: &text("id"), ttl: time("ttl"), variables };
            told(ctx.publish(message).await, |duplicate| vec![duplicate.to_string()])
        }
        "await-result" => told(ctx.await_result(&text("payment"), time("timeout")).await, payment),
        "query" => {
            let names: Vec<_> = a.get("names").items().map(|name| name.text()).collect();
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            let query = Query { payment: &text("payment"), client_key: &text("client-key"), variables: &names };
            told(ctx.query(query).await, payment)
        }
        "sleep" => told(ctx.sleep(time("duration")).await, nothing),
        "sequence" => told(ctx.sequence(&text("name")).await, |n| vec![n.to_string()]),
        "checkpoint" => told(ctx.checkpoint(&bytes("data")).await, nothing),
        "emit" => told(ctx.emit(&text("name"), &variables).await, nothing),
        "round-trip" => {
            let call = RoundTrip {
                link: &text("link"),
                frame: &bytes("data"),
                match_key: &text("match-key"),
                timeout: time("timeout"),
                key: &text("key"),
                terms,
            };
            told(ctx.round_trip(call).await, data)
        }
        "send" => told(ctx.send(&text("link"), &bytes("data")).await, nothing),
        "forward" => {
            let until = a.get("until").int().map(|ms| Time { ms });
            let frame = Forward { link: &text("link"), key: &text("key"), frame: &bytes("data"), until };
            told(ctx.forward(frame).await, nothing)
        }
        "sign" => told(ctx.sign(&text("key-ref"), &text("algorithm"), &bytes("data")).await, data),
        "verify" => {
            let asked = (text("key-ref"), text("algorithm"), bytes("data"), bytes("signature"));
            told(ctx.verify(&asked.0, &asked.1, &asked.2, &asked.3).await, |ok| vec![ok.to_string()])
        }
        "mac" => told(ctx.mac(&text("key-ref"), &text("algorithm"), &bytes("data")).await, data),
        "encrypt" => {
            let asked = (text("key-ref"), text("algorithm"), bytes("data"), bytes("additional"));
            told(ctx.encrypt(&asked.0, &asked.1, &asked.2, &asked.3).await, data)
        }
        "tokenize" => told(ctx.tokenize(&text("kind-of"), &text("value")).await, |t| vec![t]),
        "detokenize" => told(ctx.detokenize(&text("token")).await, |t| vec![t]),
        kind => panic!("an unknown kind of effect: {kind}"),
    }
}

async fn echo(ctx: Context<'_>, job: Job<'_>) -> Outcome {
    let mut answers = Vec::new();
    let behind = ctx.state().first().map_or(0, |n| usize::from(*n));
    if let Some(doubt) = job.doubt("k") {
        ctx.settle("k", !doubt.idempotency_key.is_empty());
    }
    for ask in job.json("ask").items().skip(behind) {
        answers.push(one(ctx, ask).await);
    }
    let said = vec![
        job.job_type.to_string(),
        job.payment.to_string(),
        job.attempt.to_string(),
        job.retries.to_string(),
        job.element.to_string(),
        job.flow.to_string(),
        job.payment_started.ms.to_string(),
        job.header("h").to_string(),
        job.doubt("k").map_or(String::new(), |p| p.idempotency_key.to_string()),
        job.text("s").into_owned(),
        job.int("i").map_or("none".to_string(), |n| n.to_string()),
        ctx.now().ms.to_string(),
        ctx.uuid(),
        hex(ctx.state()),
    ];
    Outcome::complete(vars! { "answers": answers, "job": said })
}
