//! A stream: how soon its client has what the code prints, and what one that reads slowly costs the control plane.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::TryStreamExt;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Result,
    options::Plan,
    proc,
    product::Product,
    report::{Bound, Report, mebibytes, percentiles, progress},
    stats::Samples,
};

/// All that the slow client reads is let through, in whatever time.
pub(super) const FLAGS: [&str; 4] = ["--output-limit", "1g", "--max-timeout", "1h"];

/// Each line is the time at which it was printed, by the clock that the client has as well.
const TICKS: &str =
    "import time\nfor _ in range(200):\n    time.sleep(0.02)\n    print(time.time_ns(), flush=True)";
const TICKS_IN_ALL: usize = 200;
/// Bytes a second of the slow client: what the code prints, so that it takes a little longer with what the events add.
const RATE: u64 = 1_000_000;
/// A letter of no event's name or field, so that those that arrive are those that were printed.
const PRINTED: u8 = b'z';
const LINE: u64 = 1_000;

pub(super) async fn measure(plan: &Plan, product: &Product, report: &mut Report) -> Result<()> {
    product.warm().await?;
    progress("stream: from a print to the client");
    let samples = ticks(product).await?;
    let row = ["code-sandbox".to_owned()].into_iter().chain(percentiles(&samples)).collect();
    let header = ["from a print to its arrival", "lines", "p50", "p95", "p99", "max"];
    report.section("A stream", &header, &[row]);
    report.target("a print's way to the client: p50, ms", milliseconds(&samples), Bound::AtMost(5.0));

    progress(&format!("stream: a client that reads 1 MB/s, {} s", plan.seconds));
    let pid = product.pid()?;
    proc::forget_peak(pid)?;
    let before = proc::memory(pid, "VmRSS")?;
    let printed = slow_client(product, plan.seconds * RATE).await?;
    let highest = proc::memory(pid, "VmHWM")?;
    let row = vec![printed.to_string(), mebibytes(before), mebibytes(highest)];
    let header = ["bytes printed, all arrived", "resident before", "highest meanwhile"];
    report.section("A client that reads 1 MB/s of what a loop prints", &header, &[row]);
    let grown = highest.saturating_sub(before) as f64 / 1024.0 / 1024.0;
    report.target("memory for a client that reads slowly, MiB", grown, Bound::AtMost(32.0));
    Ok(())
}

fn milliseconds(samples: &Samples) -> f64 {
    samples.percentile(50.0).as_secs_f64() * 1e3
}

async fn ticks(product: &Product) -> Result<Samples> {
    let mut pieces = Box::pin(product.target().stream(request(TICKS, Duration::from_secs(60))).await?);
    let (mut samples, mut text) = (Samples::default(), String::new());
    while let Some(piece) = pieces.try_next().await? {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        text.push_str(str::from_utf8(&piece)?);
        while let Some((event, rest)) = text.split_once("\n\n") {
            if let Some(data) = event.strip_prefix("event: stdout\ndata: ") {
                let data: Value = serde_json::from_str(data)?;
                for line in data["text"].as_str().unwrap_or_default().lines() {
                    samples.extend([now.saturating_sub(Duration::from_nanos(line.parse()?))]);
                }
            }
            text = rest.to_owned();
        }
    }
    match samples.len() {
        TICKS_IN_ALL => Ok(samples),
        fewer => Err(format!("{fewer} of {TICKS_IN_ALL} lines arrived").into()),
    }
}

/// Has so many bytes printed and reads them a megabyte a second.
async fn slow_client(product: &Product, bytes: u64) -> Result<u64> {
    let (lines, letters) = (bytes / LINE, LINE - 1);
    let letter = char::from(PRINTED);
    let code = format!(
        "line = '{letter}' * {letters} + '\\n'\nfor _ in range({lines}): print(line, end='')\ndel line"
    );
    let mut pieces = Box::pin(product.target().stream(request(&code, Duration::from_secs(3600))).await?);
    let (mut arrived, mut end) = (0, Vec::new());
    while let Some(piece) = pieces.try_next().await? {
        arrived += piece.iter().filter(|byte| **byte == PRINTED).count() as u64;
        end.extend_from_slice(&piece);
        end.drain(..end.len().saturating_sub(4096));
        sleep(Duration::from_secs_f64(piece.len() as f64 / RATE as f64)).await;
    }
    let end = String::from_utf8_lossy(&end);
    if arrived != lines * letters || !end.contains(r#""status":"ok""#) {
        return Err(format!("{arrived} of {} letters arrived; at the end: {end}", lines * letters).into());
    }
    Ok(lines * LINE)
}

fn request(code: &str, timeout: Duration) -> Bytes {
    json!({ "code": code, "timeout": timeout.as_secs() }).to_string().into()
}
