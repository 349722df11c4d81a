//! What keys, metrics and traces cost a warm call: one client asks two services in turns, one of which has them all, for as many calls
//! as their pools hold, and again when these are full.

use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use axum::Router;
use tokio::{net::TcpListener, time::interval};

use crate::{
    Result,
    client::Target,
    code::Code,
    docker::Engine,
    options::{Options, Plan},
    product::Product,
    report::{Bound, Report, percentiles, progress},
    stats::{Samples, ratio},
    tenants::Tenants,
};

const HEADER: [&str; 6] = ["service", "calls", "p50", "p95", "p99", "max"];
/// How often the metrics are read: Prometheus is seldom told to come more often.
const SCRAPES: Duration = Duration::from_secs(5);
/// `print(1)` needs no library, and the pools are full the sooner.
const NO_PRELOAD: &str = "--preload=";
const TRACES_FLAG: &str = "--otlp-endpoint";

pub(super) async fn measure(
    engine: &Engine,
    options: &Options,
    plan: &Plan,
    flags: &[&str],
    report: &mut Report,
) -> Result<()> {
    progress("keys, metrics and traces");
    let tenants = Tenants::new(&["one"])?;
    let flags = [flags, &[NO_PRELOAD]].concat();
    let mut observed = vec![tenants.flag()];
    let traced = is_built_with_traces(options)?;
    if traced {
        observed.push(format!("{TRACES_FLAG}=http://{}", collector().await?));
    }
    let observed: Vec<_> = flags.iter().copied().chain(observed.iter().map(String::as_str)).collect();

    let bare = Product::start(engine, options, "bare", &flags).await?;
    let full = Product::start(engine, options, "observed", &observed).await?;
    let measured = in_turns(plan, &bare, &full, &tenants.targets(&full)?[0]).await;
    let stopped = [full.stop().await, bare.stop().await];
    let [bare, full] = measured?;
    stopped.into_iter().collect::<Result<()>>()?;

    let what = if traced { "keys, metrics and traces" } else { "keys and metrics (not built with traces)" };
    let row = |service: String, samples| [service].into_iter().chain(percentiles(samples)).collect();
    let rows: [Vec<_>; 2] = [row("without".to_owned(), &bare), row(format!("with {what}"), &full)];
    report.section("With keys, metrics and traces", &HEADER, &rows);
    report.target(
        format!("print(1) with {what}: p50 to that without"),
        ratio(full.percentile(50.0), bare.percentile(50.0)),
        Bound::AtMost(1.1),
    );
    Ok(())
}

/// The times of the one and of the other.
async fn in_turns(plan: &Plan, bare: &Product, full: &Product, with_key: &Target) -> Result<[Samples; 2]> {
    bare.warm().await?;
    full.warm().await?;
    let scraped = async {
        let mut times = interval(SCRAPES);
        loop {
            times.tick().await;
            with_key.wait_for("/metrics", Duration::ZERO).await?;
        }
    };
    let called = async {
        let mut samples = [Samples::default(), Samples::default()];
        while samples[0].len() < plan.samples {
            let mut last = Instant::now();
            for n in 0..2 * bare.burst() {
                // Each is the first of every other pair.
                let which = usize::from(matches!(n % 4, 1 | 2));
                let reply = Code::Print.run([bare.target(), with_key][which]).await?;
                samples[which].extend([reply.took]);
                last = reply.sent;
            }
            tokio::try_join!(bare.warm_since(last), full.warm_since(last))?;
        }
        Ok(samples)
    };
    tokio::select! {
        samples = called => samples,
        failed = scraped => failed,
    }
}

fn is_built_with_traces(options: &Options) -> Result<bool> {
    let help = Command::new(&options.binary).arg("--help").output()?;
    Ok(String::from_utf8_lossy(&help.stdout).contains(TRACES_FLAG))
}

/// Takes whatever traces come, for as long as this program runs; its address.
async fn collector() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(|| async {})).await });
    Ok(address)
}
