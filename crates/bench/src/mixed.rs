//! Everything at once: well-behaved and hostile code and uploads, while containers are killed, the engine is restarted and the
//! control plane is killed.
//!
//! What is honest: every answer is the right one for its code, unless the call overlaps a fault. Then it may also be told as
//! lost: with 503 and `Retry-After`, or by its connection, if the control plane was killed. While engine and control plane are
//! well, that takes the kill of its own container, by the mark that its code has left there, or of one that has no mark yet while the
//! call is under way; each kill is the reason for one loss at most. A call that was lost is made again until it is answered right.
//! An upload that was acknowledged is there, whole, or one that came after it.

mod faults;
mod kinds;
mod uploads;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use self::{
    faults::{Faults, LostCall, Plan, Windows},
    kinds::{Kind, Verdict},
    uploads::Uploads,
};
use crate::{
    Result,
    client::{Reply, Target},
    docker::Engine,
    load::{lock, share},
    options::{MixedPlan, Options},
    product::{Place, Product},
    report::{Answered, Bound, Report, milliseconds, progress},
    soak::growth::{self, Growth},
};

/// Connections of clients that have left are closed by then.
const CALM: Duration = Duration::from_secs(6);
/// A call that is lost again and again for so long will never be answered.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two tries of a call.
const PAUSE: Duration = Duration::from_millis(200);
/// Wrong answers that the report quotes.
const TOLD: usize = 20;

pub(crate) async fn mixed(
    engine: &Engine,
    options: &Options,
    plan: &MixedPlan,
    report: &mut Report,
) -> Result<()> {
    let own = plan.own_engine.as_deref().ok_or("run it by scripts/own-engine.sh: it restarts the engine")?;
    let product = Product::start_at(Place::new()?, engine, options, "mixed", &[]).await?;
    let target = product.target().clone();
    product.warm().await?;
    sleep(CALM).await;
    let before = Growth::now(engine, &product, Some(own)).await?;

    let seen = Arc::new(Seen::default());
    let uploads = Uploads::begin(&target, &seen.windows).await;
    let faults = Faults::begin(
        Plan { engine: engine.clone(), options: options.clone(), own: own.to_owned(), calls: plan.calls },
        product,
        Arc::clone(&seen),
    );
    let begin = Instant::now();
    clients(plan, &target, &seen).await?;
    let took = begin.elapsed();
    let (faults, product) = faults.end().await?;
    let uploads = uploads.end().await?;

    // Not before the last container that was killed has been replaced.
    sleep(CALM).await;
    if product.pool_size() > 0 {
        product.full(engine).await?;
    }
    sleep(CALM).await;
    let after = Growth::now(engine, &product, Some(own)).await?;
    seen.describe(plan, took, report);
    faults.describe(&seen, report);
    uploads.describe(report);
    growth::describe(&before, &after, report);
    report.target("memory of the control plane, MiB", after.mebibytes(), Bound::AtMost(64.0));
    product.stop().await
}

/// What all clients have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    windows: Windows,
    answered: Answered,
    kinds: Mutex<BTreeMap<&'static str, Counts>>,
    wrong: Mutex<Vec<String>>,
    /// Told as lost while nothing but containers was killed.
    lost_to_containers: Mutex<Vec<LostCall>>,
    never: Mutex<Vec<u64>>,
}

#[derive(Debug, Default)]
struct Counts {
    right: u64,
    lost: u64,
    longest: Duration,
}

async fn clients(plan: &MixedPlan, target: &Target, seen: &Arc<Seen>) -> Result<()> {
    let (target, seen, calls) = (target.clone(), Arc::clone(seen), plan.calls);
    share(plan.calls, plan.clients, move |n| {
        let (target, seen) = (target.clone(), Arc::clone(&seen));
        async move {
            seen.call(&target, n).await;
            seen.answered.one_more(calls);
            Ok(())
        }
    })
    .await?;
    Ok(())
}

impl Seen {
    /// Makes a call until it is answered right or wrong.
    async fn call(&self, target: &Target, n: u64) {
        let (kind, began) = (Kind::of(n), Instant::now());
        loop {
            let sent = Instant::now();
            let reply = target.execute(kind.body(n)).await.map_err(|error| error.to_string());
            match self.judge(&kind, n, sent, &reply) {
                Verdict::Right => {
                    let mut kinds = lock(&self.kinds);
                    let counts = kinds.entry(kind.name()).or_default();
                    counts.right += 1;
                    counts.longest = counts.longest.max(sent.elapsed());
                    break;
                }
                Verdict::Wrong(what) => {
                    progress(&format!("call {n}, {}: {what}", kind.name()));
                    lock(&self.wrong).push(format!("- call {n}, {}: {what}", kind.name()));
                    break;
                }
                Verdict::Lost if began.elapsed() > PATIENCE => {
                    lock(&self.never).push(n);
                    break;
                }
                Verdict::Lost => {
                    lock(&self.kinds).entry(kind.name()).or_default().lost += 1;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// What a call that was sent then and is answered now is to be taken for.
    fn judge(&self, kind: &Kind, n: u64, sent: Instant, reply: &Result<Reply, String>) -> Verdict {
        let hit = self.windows.since(sent);
        let verdict = match reply {
            Err(_) if hit.control_plane => Verdict::Lost,
            Err(error) => Verdict::Wrong(error.clone()),
            Ok(reply) => match kind.judge(n, reply) {
                Verdict::Wrong(_) if reply.is_lost() && hit.container => Verdict::Lost,
                Verdict::Wrong(_) if reply.is_put_off() && (hit.engine || hit.control_plane) => Verdict::Lost,
                verdict => verdict,
            },
        };
        if verdict == Verdict::Lost && !hit.engine && !hit.control_plane {
            lock(&self.lost_to_containers).push(LostCall { number: n, sent, answered: Instant::now() });
        }
        verdict
    }

    fn describe(&self, plan: &MixedPlan, took: Duration, report: &mut Report) {
        report.note(&format!(
            "{} calls by {} clients in {:.0} s, {:.2}/s.",
            plan.calls,
            plan.clients,
            took.as_secs_f64(),
            plan.calls as f64 / took.as_secs_f64()
        ));
        let row = |(kind, counts): (&&str, &Counts)| {
            vec![
                (*kind).to_owned(),
                counts.right.to_string(),
                counts.lost.to_string(),
                milliseconds(counts.longest),
            ]
        };
        let rows: Vec<_> = lock(&self.kinds).iter().map(row).collect();
        report.section(
            "What was called",
            &["kind", "answered right", "told as lost on the way", "longest"],
            &rows,
        );
        let wrong = lock(&self.wrong);
        if !wrong.is_empty() {
            report.note(&wrong.iter().take(TOLD).cloned().collect::<Vec<_>>().join("\n"));
        }
        report.target("wrong answers", wrong.len() as f64, Bound::AtMost(0.0));
        report.target("calls never answered", lock(&self.never).len() as f64, Bound::AtMost(0.0));
    }
}
