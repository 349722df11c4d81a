//! One run over everything that is promised: the parts take the same product in turns with what they compare it to.

mod burst;
mod flood;
mod latency;
mod memory;
mod observed;
mod quiet;
mod stream;
mod sustained;

use crate::{
    Result,
    docker::Engine,
    options::{Options, Part, Plan},
    product::Product,
    raw::{Program, Raw},
    report::{Report, progress},
    service::Service,
};

/// Large answers are let through, and a burst finds a place in the queue.
const FLAGS: [&str; 6] = ["--result-limit", "16m", "--queue-size", "1000", "--queue-timeout", "5m"];

pub(crate) async fn measure(
    engine: &Engine,
    options: &Options,
    plan: &Plan,
    report: &mut Report,
) -> Result<()> {
    let raw = Raw::new(engine, &options.image)?;
    if [Part::Latency, Part::Sustained, Part::Burst, Part::Quiet].iter().any(|part| plan.wants(*part)) {
        Product::during(engine, options, "measure", &FLAGS, async |product| {
            speed(engine, options, plan, product, &raw, report).await
        })
        .await?;
    }
    if plan.wants(Part::Flood) {
        flood::measure(engine, options, plan, &FLAGS, report).await?;
    }
    if plan.wants(Part::Observed) {
        observed::measure(engine, options, plan, &FLAGS, report).await?;
    }
    if plan.wants(Part::Stream) {
        Product::during(engine, options, "stream", &stream::FLAGS, async |product| {
            stream::measure(plan, product, report).await
        })
        .await?;
    }
    if plan.wants(Part::Memory) {
        progress("memory");
        Product::during(engine, options, "memory", &memory::FLAGS, async |product| {
            memory::measure(plan, product, report).await
        })
        .await?;
    }
    Ok(())
}

async fn speed(
    engine: &Engine,
    options: &Options,
    plan: &Plan,
    product: &Product,
    raw: &Raw,
    report: &mut Report,
) -> Result<()> {
    if plan.wants(Part::Latency) {
        let service = Service::start(engine, &options.image, plan).await?;
        latency::measure(plan, product, &service, report).await?;
        service.stop().await?;
    }
    if plan.wants(Part::Sustained) || plan.wants(Part::Burst) {
        product.warm().await?;
        let best = sustained::best(plan, raw, Program::Pass).await?;
        if plan.wants(Part::Sustained) {
            sustained::measure(plan, engine, product, raw, &best, report).await?;
        }
        if plan.wants(Part::Burst) {
            burst::measure(plan, product, raw, best[0], report).await?;
        }
    }
    if plan.wants(Part::Quiet) {
        quiet::measure(engine, product, report).await?;
    }
    Ok(())
}
