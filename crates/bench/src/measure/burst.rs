//! More calls at once than the pool holds: how long until the last is answered, in turns with the raw engine's time for as
//! many containers.

use std::time::{Duration, Instant};

use crate::{
    Result,
    code::Code,
    load::share,
    options::Plan,
    product::Product,
    raw::{Program, Raw},
    report::{Bound, Report, milliseconds, percentiles, progress},
    stats::{Samples, median},
};

const HEADER: [&str; 8] = ["what", "time of each round", "calls", "p50", "p95", "p99", "max", "at once"];

pub(super) async fn measure(
    plan: &Plan,
    product: &Product,
    raw: &Raw,
    best: usize,
    report: &mut Report,
) -> Result<()> {
    let (mut ours, mut theirs, mut samples) = (Vec::new(), Vec::new(), Samples::default());
    for round in 1..=plan.rounds {
        theirs.push(raw.all(Program::Pass, plan.burst, best).await?);
        let (took, calls, last_sent) = burst(product, plan.burst).await?;
        ours.push(took);
        samples.extend(calls.iter());
        progress(&format!("burst {round}: raw {:.2?}, product {took:.2?}", theirs[round - 1]));
        product.warm_since(last_sent).await?;
    }
    let times = |times: &[Duration]| times.iter().copied().map(milliseconds).collect::<Vec<_>>().join(", ");
    let mut row = vec!["code-sandbox".to_owned(), times(&ours)];
    row.extend(percentiles(&samples));
    row.push(plan.burst.to_string());
    let mut raw_row = vec!["raw engine, `python3 -c pass`".to_owned(), times(&theirs)];
    raw_row.extend(vec![String::new(); 5]);
    raw_row.push(best.to_string());
    report.section(&format!("A burst of {} calls", plan.burst), &HEADER, &[row, raw_row]);
    let seconds = |times: &[Duration]| median(&times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>());
    report.target(
        format!("burst of {}: time to the last answer to the raw engine's time for as many", plan.burst),
        seconds(&ours) / seconds(&theirs),
        Bound::AtMost(1.2),
    );
    Ok(())
}

/// Time to the last answer, the time of each, and when the last was sent.
async fn burst(product: &Product, calls: u64) -> Result<(Duration, Samples, Instant)> {
    let target = product.target().clone();
    let at_once = usize::try_from(calls)?;
    target.connect(at_once).await?;
    let begin = Instant::now();
    let replies = share(calls, at_once, move |n| {
        let target = target.clone();
        async move { Ok((n, target.execute(Code::Plain(n).body()).await?)) }
    })
    .await?;
    let took = begin.elapsed();
    for (n, reply) in &replies {
        Code::Plain(*n).check(reply)?;
    }
    let last_sent = replies.iter().map(|(_, reply)| reply.sent).max().unwrap_or(begin);
    Ok((took, replies.iter().map(|(_, reply)| reply.took).collect(), last_sent))
}
