//! A long load that looks for what grows, leaks or is answered wrongly.
//!
//! That no container runs two executions is seen from three sides: the code leaves marks wherever it can and looks for
//! those of others; it says which container it runs in, and none may be named twice; and the engine's own events must
//! count a started container for every call.

pub(crate) mod growth;
pub(crate) mod killer;
mod marks;
mod starts;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use self::{growth::Growth, killer::Kills, marks::Home, starts::Starts};
use crate::{
    Result,
    docker::Engine,
    load::{lock, share},
    options::{Options, SoakPlan},
    product::Product,
    report::{Answered, Bound, Report, percentiles, progress},
    stats::Samples,
};

/// Rest of a client between two calls while containers are killed.
const KILL_PAUSE: u64 = 1000;
/// Connections of clients that have left are closed by then.
const CALM: Duration = Duration::from_secs(6);
/// Failed calls that the report quotes.
const TOLD: usize = 20;

pub(crate) async fn soak(
    engine: &Engine,
    options: &Options,
    plan: &SoakPlan,
    report: &mut Report,
) -> Result<()> {
    Product::during(engine, options, "soak", &[], async |product| load(engine, plan, product, report).await)
        .await
}

/// What all clients have seen.
#[derive(Debug, Default)]
struct Seen {
    homes: Mutex<HashSet<Home>>,
    samples: Mutex<Samples>,
    answered: Answered,
    /// When the last call was sent.
    last_sent: Mutex<Option<Instant>>,
    failures: Mutex<Vec<(u64, String)>>,
}

async fn load(engine: &Engine, plan: &SoakPlan, product: &Product, report: &mut Report) -> Result<()> {
    product.warm().await?;
    sleep(CALM).await;
    let before = Growth::now(engine, product, plan.own_engine.as_deref()).await?;
    let starts = Starts::watch(engine, product.instance()).await?;
    let killer = plan.kill.then(|| Kills::begin(engine, product.instance()));

    let (seen, begin) = (Arc::new(Seen::default()), Instant::now());
    clients(plan, product, &seen).await?;
    let took = begin.elapsed();

    let kills = match killer {
        Some(killer) => Some(killer.end().await?),
        None => None,
    };
    let last_call = *lock(&seen.last_sent);
    let last_kill = kills.as_ref().and_then(|kills| kills.last);
    product.warm_since(last_call.max(last_kill).unwrap_or(begin)).await?;
    sleep(CALM).await;
    let started = starts.end()?;
    let after = Growth::now(engine, product, plan.own_engine.as_deref()).await?;
    describe(plan, &seen, took, report);
    promises(plan, &seen, &started, report);
    if let Some(kills) = kills {
        kills.describe(lock(&seen.failures).iter().map(|(call, _)| *call), report);
    }
    growth::describe(&before, &after, report);
    report.target("memory of the control plane, MiB", after.mebibytes(), Bound::AtMost(64.0));
    Ok(())
}

async fn clients(plan: &SoakPlan, product: &Product, seen: &Arc<Seen>) -> Result<()> {
    let pause = Duration::from_millis(plan.pause.unwrap_or(if plan.kill { KILL_PAUSE } else { 0 }));
    let (target, seen, calls) = (product.target().clone(), Arc::clone(seen), plan.calls);
    share(plan.calls, plan.clients, move |n| {
        let (target, seen) = (target.clone(), Arc::clone(&seen));
        async move {
            // A call that fails is counted; the others go on.
            lock(&seen.last_sent).replace(Instant::now());
            let checked = match target.execute(marks::body(n)).await {
                Ok(reply) => marks::check(n, &reply).map(|home| (home, reply.took)),
                Err(error) => Err(error.to_string()),
            };
            match checked {
                Ok((home, took)) => {
                    lock(&seen.homes).insert(home);
                    lock(&seen.samples).extend([took]);
                }
                Err(what) => {
                    progress(&format!("call {n} failed: {what}"));
                    lock(&seen.failures).push((n, what));
                }
            }
            seen.answered.one_more(calls);
            sleep(pause).await;
            Ok(())
        }
    })
    .await?;
    Ok(())
}

fn describe(plan: &SoakPlan, seen: &Seen, took: Duration, report: &Report) {
    let mut row = vec![plan.clients.to_string(), format!("{:.2}/s", plan.calls as f64 / took.as_secs_f64())];
    row.extend(percentiles(&lock(&seen.samples)));
    report.section("The load", &["clients", "rate", "calls", "p50", "p95", "p99", "max"], &[row]);
    let failures: Vec<_> =
        lock(&seen.failures).iter().take(TOLD).map(|(call, what)| format!("- call {call}: {what}")).collect();
    if !failures.is_empty() {
        report.note(&failures.join("\n"));
    }
}

fn promises(plan: &SoakPlan, seen: &Seen, started: &starts::Started, report: &mut Report) {
    let right = lock(&seen.samples).len() as f64;
    if !plan.kill {
        report.target(
            "calls that were not answered right",
            lock(&seen.failures).len() as f64,
            Bound::AtMost(0.0),
        );
    }
    report.target(
        "containers that answers came from, for each right answer",
        lock(&seen.homes).len() as f64 / right,
        Bound::AtLeast(1.0),
    );
    report.target(
        "containers started, for each call",
        started.containers as f64 / plan.calls as f64,
        Bound::AtLeast(1.0),
    );
    report.target("containers started a second time", started.again as f64, Bound::AtMost(0.0));
}
