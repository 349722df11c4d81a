//! What the service costs while nobody calls: processor time, and the memory that warm containers hold.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    Result,
    docker::Engine,
    proc,
    product::Product,
    report::{Bound, Report, mebibytes},
};

const WATCHED: Duration = Duration::from_secs(20);
/// What a part before has left behind is done by then.
const CALM: Duration = Duration::from_secs(5);

pub(super) async fn measure(engine: &Engine, product: &Product, report: &mut Report) -> Result<()> {
    product.warm().await?;
    sleep(CALM).await;
    let mut warm = Vec::new();
    for container in engine.containers(product.instance(), true).await? {
        warm.push(engine.processes(&container).await?);
    }
    let everything = || -> Result<[Duration; 2]> {
        let containers = warm.iter().flatten().map(|pid| proc::cpu_time(*pid));
        Ok([proc::cpu_time(product.pid()?)?, containers.sum::<Result<_>>()?])
    };
    let (before, begin) = (everything()?, Instant::now());
    sleep(WATCHED).await;
    let (after, took) = (everything()?, begin.elapsed());
    let percent = |part: usize| (after[part] - before[part]).as_secs_f64() / took.as_secs_f64() * 100.0;

    let private = warm
        .iter()
        .map(|container| container.iter().map(|pid| proc::private_memory(*pid)).sum::<Result<u64>>())
        .collect::<Result<Vec<_>>>()?;
    let (least, most) = (private.iter().min().copied(), private.iter().max().copied());
    let rows = [
        vec!["control plane".to_owned(), format!("{:.2} %", percent(0))],
        vec![format!("processes of {} warm containers", warm.len()), format!("{:.2} %", percent(1))],
    ];
    let title = format!("A quiet service, {} s", WATCHED.as_secs());
    report.section(&title, &["what", "of a core"], &rows);
    if let (Some(least), Some(most)) = (least, most) {
        let mean = private.iter().sum::<u64>() / private.len() as u64;
        report.note(&format!(
            "Private memory of a warm container: {} on average, {} to {}.",
            mebibytes(mean),
            mebibytes(least),
            mebibytes(most)
        ));
    }
    report.target(
        "quiet: % of a core, warm containers included",
        percent(0) + percent(1),
        Bound::AtMost(1.0),
    );
    Ok(())
}
