//! The rate far beyond the pool, in turns with the raw engine at its best: a pool can only lend for a while.

use std::time::{Duration, Instant};

use crate::{
    Result,
    code::Code,
    docker::Engine,
    load::{Times, closed_loop},
    options::Plan,
    product::Product,
    raw::{Program, Raw},
    report::{Bound, Report, percentiles, progress, rates},
    stats::{Samples, Window, median},
};

const CLIENTS: usize = 8;
/// The pool is empty long before.
const RAMP: Duration = Duration::from_secs(5);
/// The raw engine has no stock to use up.
const RAW_RAMP: Duration = Duration::from_secs(2);
/// How many of the best concurrencies are measured in every round: on the first look two may be as good.
const CANDIDATES: usize = 2;

const HEADER: [&str; 9] =
    ["what", "at once", "rates of the rounds, per s", "median", "calls", "p50", "p95", "p99", "max"];

/// The concurrencies at which the raw engine does most, the best one first.
pub(super) async fn best(plan: &Plan, raw: &Raw, program: Program) -> Result<Vec<usize>> {
    let window = Duration::from_secs(plan.seconds.min(10));
    let mut tried = Vec::new();
    for &at_once in &plan.concurrency {
        let rate = raw.window(program, at_once, Times { ramp: RAW_RAMP, window }).await?.rate;
        progress(&format!("raw engine, {at_once} at once, {}: {rate:.2}/s", program.source()));
        tried.push((rate, at_once));
    }
    tried.sort_by(|one, other| other.0.total_cmp(&one.0));
    let best: Vec<_> = tried.into_iter().take(CANDIDATES).map(|(_, at_once)| at_once).collect();
    if best.is_empty() { Err("no concurrency to try".into()) } else { Ok(best) }
}

pub(super) async fn measure(
    plan: &Plan,
    engine: &Engine,
    product: &Product,
    raw: &Raw,
    best_pass: &[usize],
    report: &mut Report,
) -> Result<()> {
    let best_pandas = best(plan, raw, Program::Pandas).await?;
    let mut rows = Vec::new();
    for (program, at_once) in [(Program::Pass, best_pass), (Program::Pandas, &best_pandas)] {
        let rounds = rounds(plan, engine, product, raw, program, at_once).await?;
        let name = format!("python3 -c '{}'", program.source());
        for (at_once, windows) in at_once.iter().zip(&rounds.raw) {
            rows.push(row(&format!("raw engine, `{name}`"), *at_once, windows));
        }
        rows.push(row(&format!("code-sandbox, `{}`", sample(program)), CLIENTS, &rounds.product));
        let best_raw = rounds.raw.iter().map(|windows| rate(windows)).fold(0.0, f64::max);
        let what = format!("sustained `{}`: rate to the raw engine's best", program.source());
        report.target(what, rate(&rounds.product) / best_raw, Bound::AtLeast(0.95));
        report.target(
            format!("sustained `{}`: most containers left to remove at a round's end", program.source()),
            rounds.most_left as f64,
            Bound::Told,
        );
    }
    report.section("Sustained beyond the pool", &HEADER, &rows);
    Ok(())
}

/// What was measured in turns.
struct Rounds {
    /// For each concurrency.
    raw: Vec<Vec<Window>>,
    product: Vec<Window>,
    /// A rate that leaves its removals to later is not kept up for long.
    most_left: usize,
}

async fn rounds(
    plan: &Plan,
    engine: &Engine,
    product: &Product,
    raw: &Raw,
    program: Program,
    at_once: &[usize],
) -> Result<Rounds> {
    let window = Duration::from_secs(plan.seconds);
    let mut rounds = Rounds { raw: vec![Vec::new(); at_once.len()], product: Vec::new(), most_left: 0 };
    for round in 1..=plan.rounds {
        for (&at_once, windows) in at_once.iter().zip(&mut rounds.raw) {
            windows.push(raw.window(program, at_once, Times { ramp: RAW_RAMP, window }).await?);
        }
        rounds.product.push(of_product(product, program, Times { ramp: RAMP, window }).await?);
        let ended = Instant::now();
        rounds.most_left = rounds.most_left.max(engine.containers(product.instance(), false).await?.len());
        let raw: Vec<_> = rounds.raw.iter().filter_map(|windows| windows.last()).map(|w| w.rate).collect();
        let ours = rounds.product.last().map_or(0.0, |window| window.rate);
        progress(&format!("round {round}, {}: raw {raw:.2?}, product {ours:.2}", program.source()));
        product.warm_since(ended).await?;
    }
    Ok(rounds)
}

async fn of_product(product: &Product, program: Program, times: Times) -> Result<Window> {
    let target = product.target().clone();
    target.connect(CLIENTS).await?;
    closed_loop(CLIENTS, times, move |n| {
        let target = target.clone();
        async move {
            let code = match program {
                Program::Pass => Code::Plain(n),
                Program::Pandas => Code::Pandas(n),
            };
            Ok(code.run(&target).await?.took)
        }
    })
    .await
}

fn sample(program: Program) -> &'static str {
    match program {
        Program::Pass => "n = 1",
        Program::Pandas => "import pandas; n = 1",
    }
}

fn rate(windows: &[Window]) -> f64 {
    median(&windows.iter().map(|window| window.rate).collect::<Vec<_>>())
}

fn row(what: &str, at_once: usize, windows: &[Window]) -> Vec<String> {
    let mut all = Samples::default();
    for window in windows {
        all.extend(window.samples.iter());
    }
    let mut row = vec![what.to_owned(), at_once.to_string(), rates(windows), format!("{:.2}", rate(windows))];
    row.extend(percentiles(&all));
    row
}
