//! The control plane's resident memory: before and after many calls, and while large outputs pass through it.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    Result,
    code::{Code, FLOOD},
    load::share,
    options::Plan,
    proc,
    product::Product,
    report::{Bound, Report, mebibytes, progress},
};

/// As much output as is printed.
pub(super) const FLAGS: [&str; 2] = ["--output-limit", "64m"];

const CLIENTS: usize = 8;
/// Calls with large output, one by one and then so many at once.
const FLOODS: usize = 4;
const MIB: f64 = 1024.0 * 1024.0;

pub(super) async fn measure(plan: &Plan, product: &Product, report: &mut Report) -> Result<()> {
    product.warm().await?;
    let mut rows = Vec::new();
    let mut look = |when: String| -> Result<[u64; 2]> {
        let now = [proc::memory(product.pid()?, "VmRSS")?, proc::memory(product.pid()?, "VmHWM")?];
        rows.push(vec![when, mebibytes(now[0]), mebibytes(now[1])]);
        proc::forget_peak(product.pid()?)?;
        Ok(now)
    };
    look("before".to_owned())?;
    calls(product, plan.memory_calls, CLIENTS, Code::Plain).await?;
    let [after, peak] = look(format!("{} calls, {CLIENTS} clients", plan.memory_calls))?;
    progress(&format!("memory after {} calls: {}", plan.memory_calls, mebibytes(after)));
    for at_once in [1, FLOODS] {
        calls(product, FLOODS as u64, at_once, |_| Code::Flood).await?;
        look(format!("{FLOODS} outputs of {}, {at_once} at once", mebibytes(FLOOD as u64)))?;
    }
    report.section("Resident memory of the control plane", &["after", "resident", "highest"], &rows);
    let what = format!("memory after {} calls, MiB", plan.memory_calls);
    report.target(what, after as f64 / MIB, Bound::AtMost(64.0));
    report.target(
        format!("highest memory in {} calls, MiB", plan.memory_calls),
        peak as f64 / MIB,
        Bound::AtMost(64.0),
    );
    Ok(())
}

async fn calls(product: &Product, count: u64, clients: usize, code: fn(u64) -> Code) -> Result<()> {
    let target = product.target().clone();
    share(count, clients, move |n| {
        let target = target.clone();
        async move { code(n).run(&target).await.map(drop) }
    })
    .await?;
    // What ends with the last answer has ended.
    sleep(Duration::from_secs(2)).await;
    Ok(())
}
