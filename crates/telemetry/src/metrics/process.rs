//! The process itself, under the names every Prometheus client gives these: read from `/proc` when asked.

use std::{
    fmt, fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

/// `USER_HZ`, in which the kernel tells processor time to user space: the same on every machine Docker runs on.
const TICKS_A_SECOND: f64 = 100.0;

#[derive(Debug)]
pub(super) struct Process {
    /// Since the epoch.
    started: Duration,
}

impl Process {
    pub(super) fn new() -> Self {
        Self { started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() }
    }
}

/// What cannot be read is left out.
impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut tell = |name, help, unit: Option<&Unit>, metric: Option<&dyn EncodeMetric>| match metric {
            Some(metric) => {
                metric.encode(encoder.encode_descriptor(name, help, unit, metric.metric_type())?)
            }
            None => Ok(()),
        };
        let memory = resident().map(ConstGauge::new);
        let (used, open, most) = (
            processor_time().map(ConstCounter::new),
            open_files().map(ConstGauge::new),
            most_files().map(ConstGauge::new),
        );
        let started = ConstGauge::new(self.started.as_secs_f64());
        let (seconds, bytes) = (Some(&Unit::Seconds), Some(&Unit::Bytes));
        tell("process_cpu", "Processor time used.", seconds, used.as_ref().map(|metric| metric as _))?;
        tell("process_resident_memory", "Memory.", bytes, memory.as_ref().map(|metric| metric as _))?;
        tell("process_open_fds", "Open file descriptors.", None, open.as_ref().map(|metric| metric as _))?;
        tell("process_max_fds", "Descriptors it may open.", None, most.as_ref().map(|metric| metric as _))?;
        tell("process_start_time", "Start, since the epoch.", seconds, Some(&started))
    }
}

fn processor_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program before may hold spaces.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<f64>);
    Some((times.next()?.ok()? + times.next()?.ok()?) / TICKS_A_SECOND)
}

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

fn open_files() -> Option<u64> {
    // Without the one that reads the folder.
    Some((fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1))
}

fn most_files() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}
