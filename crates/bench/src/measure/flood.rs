//! One call a second of a tenant, alone and while another tenant keeps two hundred calls inside.

use std::time::{Duration, Instant};

use tokio::time::{interval, sleep};

use crate::{
    Result,
    client::Target,
    code::Code,
    docker::Engine,
    load::{Times, closed_loop},
    options::{Options, Plan},
    product::Product,
    report::{Bound, Report, percentiles, progress, rates},
    stats::{Samples, Window, ratio},
    tenants::Tenants,
};

const FLOOD: usize = 200;
/// The pool is used up by then.
const RAMP: Duration = Duration::from_secs(5);
const HEADER: [&str; 7] =
    ["one call a second", "calls", "p50", "p95", "p99", "max", "rates of the flood, per s"];

pub(super) async fn measure(
    engine: &Engine,
    options: &Options,
    plan: &Plan,
    flags: &[&str],
    report: &mut Report,
) -> Result<()> {
    let tenants = Tenants::new(&["single", "flood"])?;
    let keys = tenants.flag();
    let flags = [flags, &[keys.as_str()]].concat();
    Product::during(engine, options, "flood", &flags, async |product| {
        let targets = tenants.targets(product)?;
        in_turns(plan, product, &targets[0], &targets[1], report).await
    })
    .await
}

async fn in_turns(
    plan: &Plan,
    product: &Product,
    single: &Target,
    flood: &Target,
    report: &mut Report,
) -> Result<()> {
    product.warm().await?;
    let (mut alone, mut beside, mut floods) = (Samples::default(), Samples::default(), Vec::new());
    for round in 1..=plan.rounds {
        let quiet = once_a_second(single, plan.seconds).await?;
        let late = async {
            sleep(RAMP).await;
            once_a_second(single, plan.seconds).await
        };
        let (loud, served) = tokio::try_join!(late, flooded(flood, plan.seconds))?;
        let ended = Instant::now();
        let p95 = |samples: &Samples| samples.percentile(95.0);
        progress(&format!("flood {round}: p95 alone {:.2?}, beside it {:.2?}", p95(&quiet), p95(&loud)));
        alone.extend(quiet.iter());
        beside.extend(loud.iter());
        floods.push(served);
        product.warm_since(ended).await?;
    }
    let row = |what: &str, samples: &Samples, rates: String| {
        let mut row = vec![what.to_owned()];
        row.extend(percentiles(samples));
        row.push(rates);
        row
    };
    let rows = [row("alone", &alone, String::new()), row("beside the flood", &beside, rates(&floods))];
    report.section(&format!("Beside {FLOOD} calls at once of another tenant"), &HEADER, &rows);
    report.target(
        format!("one call a second beside {FLOOD} at once of another tenant: p95 to that without them"),
        ratio(beside.percentile(95.0), alone.percentile(95.0)),
        Bound::AtMost(2.0),
    );
    Ok(())
}

async fn once_a_second(target: &Target, seconds: u64) -> Result<Samples> {
    let mut seconds_begin = interval(Duration::from_secs(1));
    let mut samples = Samples::default();
    for _ in 0..seconds {
        seconds_begin.tick().await;
        samples.extend([Code::Print.run(target).await?.took]);
    }
    Ok(samples)
}

async fn flooded(target: &Target, seconds: u64) -> Result<Window> {
    let target = target.clone();
    let times = Times { ramp: RAMP, window: Duration::from_secs(seconds) };
    closed_loop(FLOOD, times, move |n| {
        let target = target.clone();
        async move { Ok(Code::Plain(n).run(&target).await?.took) }
    })
    .await
}
