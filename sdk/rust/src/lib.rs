//! The Rust SDK for Railhead connectors.
//!
//! A connector joins the hub to one outside system: a core banking system
//! (ams), a customer channel, a payment scheme, a notifier. It is a crate
//! compiled to WebAssembly; [`connector!`] names what it serves, and each
//! handler is an async function:
//!
//! ```
//! use railhead::{vars, Context, Duration, Error, Http, Job, Outcome, Terms};
//!
//! railhead::connector! {
//!     jobs { "block-funds" => block_funds }
//! }
//!
//! async fn block_funds(ctx: Context<'_>, job: Job<'_>) -> Outcome {
//!     let amount = job.text("amount");
//!     let call = Http::post("bank", "/holds")
//!         .header("content-type", "application/json")
//!         .body(vars! { "amount": amount }.json())
//!         .key("hold")
//!         .terms(Terms::new(amount, job.text("currency")));
//!     match ctx.http(call).await {
//!         Err(Error::InDoubt(doubt)) => Outcome::doubtful("hold", doubt.reason),
//!         Err(failure) => Outcome::fail("BANK", failure.to_string()).retry(Duration::from_secs(5)),
//!         Ok(bank) => Outcome::complete(vars! { "transferPrepareFailed": bank.status != 201 }),
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! # It only looks as if it waits
//!
//! The host performs the effects, not the connector: `ctx.http` and its siblings
//! answer from the history of what has happened so far, and at the first effect
//! without an answer the handler is left. Later it runs again from the beginning
//! with one more answer. Hence the rules:
//!
//! - A handler is a pure function of its arguments. Time comes from
//!   [`Context::now`], randomness from [`Context::random`], and nothing else
//!   differs between two runs. Iterating over a `HashMap` to decide what to ask
//!   for breaks this; so do statics that a handler changes.
//! - A handler awaits effects, alone or side by side with [`join`], and nothing
//!   else.
//! - No threads, files or sockets: the sandbox has none to give.
//!
//! Broken rules are found out: the SDK compares each effect with the digest in
//! the history and reports a mismatch instead of guessing.
//!
//! # Errors of effects
//!
//! An effect that certainly did not happen is a [`Failure`]. One that may or may
//! not have happened is [`InDoubt`]: never treat it as failed. Enquire by its
//! idempotency key, [`Context::settle`] what you found out, or return
//! [`Outcome::doubtful`] and let a person decide.
//!
//! # Panics
//!
//! A panic ends the attempt with an incident that says where it happened. The
//! instance is thrown away; other payments go on.
//!
//! # Testing
//!
//! `railhead connector test` runs the vectors of `testdata/*.txt` on the
//! compiled module. [`connector!`] also makes a function `step`, which runs one
//! step natively, for tests of your own under `cargo test`.

#![allow(clippy::type_complexity)]

mod config;
mod context;
pub mod effect;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod guest;
mod http;
mod join;
mod json;
mod log;
pub mod money;
mod outcome;
mod payment;
mod random;
mod sha256;
mod step;
mod time;
mod trigger;
mod url;
mod vars;
#[doc(hidden)]
pub mod wire;

pub use config::PerConfig;
pub use context::{Asked, Context};
pub use effect::{
    code, Error, Failure, Forward, Http, InDoubt, Message, Payment, Query, Response, RoundTrip, StartPayment, Started,
    Terms,
};
pub use join::{join, join_all};
pub use json::{Json, JsonError};
pub use log::Level;
pub use money::Money;
pub use outcome::{Frames, Outcome, Reply};
#[doc(hidden)]
pub use step::{step, Connector};
pub use sha256::sha256;
pub use time::{Duration, Time};
pub use trigger::{Frame, Job, LinkEvent, Prior, Request};
pub use url::escape;
pub use vars::{ToJson, Vars};

/// Says which functions serve which triggers. The names are those of the
/// manifest, letter for letter: a job type that is written
/// `party-lookup-request-{tenant}` there is written so here, and the host fills
/// in the tenant.
///
/// ```
/// # use railhead::*;
/// railhead::connector! {
///     jobs { "block-funds" => block_funds, "book-funds" => book_funds }
///     routes { "transfers" => transfers }
///     schedules { "cut-off" => cut_off }
///     frames { "network" => frame }
///     frame_keys { "network" => frame_key }
/// }
///
/// async fn block_funds(ctx: Context<'_>, job: Job<'_>) -> Outcome { todo!() }
/// // A handler may also return a Result, and use `?`.
/// async fn book_funds(ctx: Context<'_>, job: Job<'_>) -> Result<Outcome, Outcome> { todo!() }
/// async fn transfers(ctx: Context<'_>, request: Request<'_>) -> Reply { todo!() }
/// async fn cut_off(ctx: Context<'_>, job: Job<'_>) -> Outcome { todo!() }
/// async fn frame(ctx: Context<'_>, frame: Frame<'_>) -> Frames { todo!() }
/// // Which round trip a frame answers; empty if none.
/// fn frame_key(ctx: Context<'_>, data: &[u8]) -> String { todo!() }
/// # fn main() {}
/// ```
///
/// Each part may be left out, but not moved.
#[macro_export]
macro_rules! connector {
    (
        $(jobs { $($job:literal => $on_job:path),* $(,)? })?
        $(routes { $($route:literal => $on_route:path),* $(,)? })?
        $(schedules { $($schedule:literal => $on_schedule:path),* $(,)? })?
        $(frames { $($link:literal => $on_frame:path),* $(,)? })?
        $(frame_keys { $($key_link:literal => $on_frame_key:path),* $(,)? })?
    ) => {
        #[doc(hidden)]
        pub struct RailheadConnector;

        impl $crate::Connector for RailheadConnector {
            fn job<'a>(ctx: $crate::Context<'a>, job: $crate::Job<'a>) -> Option<$crate::Outcome> {
                let name = job.job_type;
                match name {
                    $($($job => ctx.run(async move { $crate::Outcome::from($on_job(ctx, job).await) }),)*)?
                    _ => Some($crate::Outcome::fail(
                        "UNKNOWN_JOB",
                        format!("this connector does not serve job type {}", name),
                    )),
                }
            }

            fn schedule<'a>(
                ctx: $crate::Context<'a>, name: &'a str, job: $crate::Job<'a>,
            ) -> Option<$crate::Outcome> {
                match name {
                    $($($schedule => ctx.run(async move { $crate::Outcome::from($on_schedule(ctx, job).await) }),)*)?
                    _ => {
                        drop((ctx, job));
                        Some($crate::Outcome::fail(
                            "UNKNOWN_SCHEDULE",
                            format!("this connector does not serve schedule {}", name),
                        ))
                    }
                }
            }

            fn route<'a>(ctx: $crate::Context<'a>, request: $crate::Request<'a>) -> Option<$crate::Reply> {
                match request.route {
                    $($($route => ctx.run(async move { $crate::Reply::from($on_route(ctx, request).await) }),)*)?
                    _ => {
                        let _ = ctx;
                        Some($crate::Reply::new(404))
                    }
                }
            }

            fn frame<'a>(ctx: $crate::Context<'a>, frame: $crate::Frame<'a>) -> Option<$crate::Frames> {
                match frame.link {
                    $($($link => ctx.run($on_frame(ctx, frame)),)*)?
                    _ => {
                        let _ = ctx;
                        Some($crate::Frames::none())
                    }
                }
            }

            fn frame_key<'a>(ctx: $crate::Context<'a>, link: &'a str, data: &'a [u8]) -> String {
                match link {
                    $($($key_link => $on_frame_key(ctx, data),)*)?
                    _ => {
                        let _ = (ctx, data);
                        String::new()
                    }
                }
            }
        }

        /// Runs one step: an encoded StepRequest in, an encoded StepReply out.
        #[doc(hidden)]
        pub fn step(request: &[u8]) -> Vec<u8> {
            $crate::step::<RailheadConnector>(request, Vec::new())
        }

        #[cfg(target_arch = "wasm32")]
        #[doc(hidden)]
        mod railhead_exports {
            #[no_mangle]
            pub extern "C" fn railhead_abi_v1() {}

            #[no_mangle]
            pub extern "C" fn railhead_buf(bytes: usize) -> *mut u8 {
                $crate::guest::buffer(bytes)
            }

            #[no_mangle]
            pub unsafe extern "C" fn railhead_step(request: *const u8, length: usize) -> u64 {
                $crate::guest::run::<super::RailheadConnector>(request, length)
            }
        }
    };
}
