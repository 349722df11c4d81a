//! Uploads that never cease, and what is there of them.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use super::faults::Windows;
use crate::{
    Result,
    client::Target,
    report::{Bound, Report, progress},
};

const KEYS: u64 = 40;
/// Between two uploads.
const PAUSE: Duration = Duration::from_millis(30);
/// The control plane is back by then.
const PATIENCE: u32 = 600;

/// What is known of one key.
#[derive(Debug, Default)]
struct Known {
    acknowledged: Option<u64>,
    /// Sent later, and nobody knows what became of them.
    unknown: Vec<u64>,
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Uploaded {
    acknowledged: u64,
    unanswered: u64,
    /// Refused or broken off without a fault.
    refused: Vec<String>,
    looked_at: u64,
    /// Not what was acknowledged last, nor anything sent after it, or not whole.
    lost: Vec<String>,
}

/// One client that uploads and looks.
#[derive(Debug)]
pub(super) struct Uploads {
    stop: CancellationToken,
    task: JoinHandle<Result<Uploaded>>,
}

impl Uploads {
    pub(super) async fn begin(target: &Target, windows: &Windows) -> Self {
        let (target, windows, stop) = (target.clone(), windows.clone(), CancellationToken::new());
        let stopped = stop.clone();
        let (mut seen, mut known) = (Uploaded::default(), HashMap::<u64, Known>::new());
        // The calls read this one.
        seen.upload(&target, &windows, "steady", Bytes::from_static(b"abc")).await;
        let task = tokio::spawn(async move {
            for version in 0.. {
                if stopped.is_cancelled() {
                    break;
                }
                let key = version % KEYS;
                let entry = known.entry(key).or_default();
                if seen.upload(&target, &windows, &name(key), value(version)).await {
                    *entry = Known { acknowledged: Some(version), unknown: Vec::new() };
                } else {
                    entry.unknown.push(version);
                }
                let other = version * 7 % KEYS;
                if let Some(known) = known.get(&other) {
                    seen.look(&target, other, known).await?;
                }
                sleep(PAUSE).await;
            }
            for (key, known) in &known {
                seen.look(&target, *key, known).await?;
            }
            Ok(seen)
        });
        Self { stop, task }
    }

    pub(super) async fn end(self) -> Result<Uploaded> {
        self.stop.cancel();
        self.task.await?
    }
}

impl Uploaded {
    /// Whether it was acknowledged.
    async fn upload(&mut self, target: &Target, windows: &Windows, key: &str, value: Bytes) -> bool {
        let sent = std::time::Instant::now();
        let answer = target.upload(key, value).await;
        let acknowledged = matches!(answer, Ok(status) if status == 200);
        if acknowledged {
            self.acknowledged += 1;
        } else if windows.since(sent).control_plane {
            self.unanswered += 1;
        } else {
            let what = format!("- upload of {key}: {answer:?}");
            progress(&what);
            self.refused.push(what);
        }
        acknowledged
    }

    async fn look(&mut self, target: &Target, key: u64, known: &Known) -> Result<()> {
        let mut tries = 0;
        let (status, found) = loop {
            match target.download(&name(key)).await {
                Ok(answer) => break answer,
                Err(error) if tries == PATIENCE => return Err(error),
                Err(_) => tries += 1,
            }
            sleep(PAUSE).await;
        };
        self.looked_at += 1;
        let possible = || known.acknowledged.iter().chain(&known.unknown);
        let right = match status.as_u16() {
            200 => possible().any(|version| value(*version) == found),
            404 => known.acknowledged.is_none(),
            _ => false,
        };
        if !right {
            let what = format!("- {}: {status}, {} bytes, expected {known:?}", name(key), found.len());
            progress(&what);
            self.lost.push(what);
        }
        Ok(())
    }

    pub(super) fn describe(&self, report: &mut Report) {
        report.note(&format!(
            "{} uploads acknowledged, {} without an answer because the control plane was killed; {} values looked at.",
            self.acknowledged, self.unanswered, self.looked_at
        ));
        for told in [&self.refused, &self.lost] {
            if !told.is_empty() {
                report.note(&told.join("\n"));
            }
        }
        report.target("acknowledged uploads lost, or torn", self.lost.len() as f64, Bound::AtMost(0.0));
        report.target("uploads refused without a fault", self.refused.len() as f64, Bound::AtMost(0.0));
    }
}

fn name(key: u64) -> String {
    format!("key-{key}")
}

/// Different for every version from its first byte to its last.
fn value(version: u64) -> Bytes {
    let length = usize::try_from(1_000 + version * 7_919 % 300_000).unwrap_or_default();
    let word = format!("{version:016x}");
    word.bytes().cycle().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_versions_are_alike() {
        let all: std::collections::HashSet<Bytes> = (0..300).map(value).collect();
        assert_eq!(all.len(), 300);
    }
}
