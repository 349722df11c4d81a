//! Latency within the pool: bursts of as many calls as it holds, each when it is full, in turns with the in-process
//! service.

use std::time::Instant;

use crate::{
    Result,
    client::{Reply, Target},
    code::Code,
    load::share,
    options::Plan,
    product::Product,
    report::{Bound, Report, percentiles, progress},
    service::Service,
    stats::{Samples, ratio},
};

/// Wrong answers that the report quotes.
const TOLD: usize = 5;

/// One row of the table.
struct Case {
    name: &'static str,
    code: Code,
    clients: usize,
    heavy: bool,
    /// How many times the in-process service's median the product's may be.
    factor: Option<f64>,
}

const CASES: [(&str, Code, bool, Option<f64>); 4] = [
    ("print(1)", Code::Print, false, Some(3.0)),
    ("canonical example", Code::Canonical, false, Some(6.0)),
    ("DataFrame of 10 MB", Code::Frame, true, None),
    ("1 MB of input_data", Code::Input, true, None),
];

const HEADER: [&str; 8] = ["code", "clients", "by", "calls", "p50", "p95", "p99", "max"];

pub(super) async fn measure(
    plan: &Plan,
    product: &Product,
    service: &Service,
    report: &mut Report,
) -> Result<()> {
    let mut rows = Vec::new();
    let measured = cases(plan, product, service, &mut rows, report).await;
    // What was measured before a failure is told.
    report.section("Latency within the pool", &HEADER, &rows);
    measured
}

async fn cases(
    plan: &Plan,
    product: &Product,
    service: &Service,
    rows: &mut Vec<Vec<String>>,
    report: &mut Report,
) -> Result<()> {
    let (mut last_sent, mut wrong) = (None, Vec::new());
    for (name, code, heavy, factor) in CASES {
        for clients in [1, 8] {
            let case = Case { name, code, clients, heavy, factor };
            let (ours, theirs) = turns(&case, plan, product, service, &mut last_sent, &mut wrong).await?;
            for (by, samples) in [("code-sandbox", &ours), ("in-process", &theirs)] {
                let mut row = vec![format!("`{name}`"), clients.to_string(), by.to_owned()];
                row.extend(percentiles(samples));
                rows.push(row);
            }
            targets(&case, &ours, &theirs, report);
        }
    }
    // Not a sample, and not forgotten.
    for what in wrong.iter().take(TOLD) {
        report.note(&format!("- {what}"));
    }
    report.target("wrong answers within the pool", wrong.len() as f64, Bound::AtMost(0.0));
    match last_sent {
        Some(sent) => product.warm_since(sent).await,
        None => Ok(()),
    }
}

fn targets(case: &Case, ours: &Samples, theirs: &Samples, report: &mut Report) {
    let p50 = ours.percentile(50.0);
    let who = format!("{}, {} client{}", case.name, case.clients, if case.clients == 1 { "" } else { "s" });
    let bound = case.factor.map_or(Bound::Told, Bound::AtMost);
    report.target(
        format!("{who}: p50 to the in-process service's"),
        ratio(p50, theirs.percentile(50.0)),
        bound,
    );
    let bound = if case.factor.is_some() { Bound::AtMost(3.0) } else { Bound::Told };
    report.target(format!("{who}: p99 to its own p50"), ratio(ours.percentile(99.0), p50), bound);
}

/// Samples of the product and of the service: right answers alone.
async fn turns(
    case: &Case,
    plan: &Plan,
    product: &Product,
    service: &Service,
    last_sent: &mut Option<Instant>,
    wrong: &mut Vec<String>,
) -> Result<(Samples, Samples)> {
    let burst = product.burst();
    let wanted = if case.heavy { plan.heavy_samples } else { plan.samples };
    let (mut ours, mut theirs) = (Samples::default(), Samples::default());
    // The first turn does not count: the service warms up in it.
    for turn in 0..=wanted.div_ceil(burst) {
        progress(&format!("{}, {} clients, {} calls", case.name, case.clients, ours.len()));
        match *last_sent {
            Some(sent) => product.warm_since(sent).await?,
            None => product.warm().await?,
        }
        let from_service = calls(service.target(), case, burst).await?;
        let from_product = calls(product.target(), case, burst).await?;
        *last_sent = from_product.iter().map(|reply| reply.sent).max();
        // Only now: looking through megabytes takes time that was another call's.
        for (replies, samples) in [(from_service, &mut theirs), (from_product, &mut ours)] {
            for reply in replies {
                match case.code.check(&reply) {
                    Ok(()) if turn > 0 => samples.extend([reply.took]),
                    Ok(()) => {}
                    Err(error) => wrong.push(error.to_string()),
                }
            }
        }
    }
    Ok((ours, theirs))
}

async fn calls(target: &Target, case: &Case, burst: usize) -> Result<Vec<Reply>> {
    target.connect(case.clients).await?;
    let (target, body) = (target.clone(), case.code.body());
    share(burst as u64, case.clients, move |_| {
        let (target, body) = (target.clone(), body.clone());
        async move { target.execute(body).await }
    })
    .await
}
