//! Executions: how they end, and how long each part of their way takes.

use std::time::Duration;

use engine::{AdmissionError, EngineConfig, ExecuteError, Phase, Status};
use prometheus_client::{
    metrics::{
        counter::Counter, family::MetricConstructor, gauge::ConstGauge, gauge::Gauge, histogram::Histogram,
    },
    registry::{Registry, Unit},
};

use super::label::{Buckets, ByLabel, counter, counters, durations, gauges};

const REFUSALS: [&str; 4] = ["queue_full", "queue_timeout", "draining", "key_removed"];
const FAILURES: [&str; 4] = ["no_container", "not_started", "lost", "pack"];

#[derive(Debug)]
pub(super) struct Executions {
    by_status: ByLabel<Counter>,
    refused: ByLabel<Counter>,
    failed: ByLabel<Counter>,
    pub(super) abandoned: Counter,
    pub(super) retried: Counter,
    pub(super) data_failures: Counter,
    duration: Histogram,
    in_phase: ByLabel<Gauge>,
    phase_duration: ByLabel<Histogram, Buckets>,
}

impl Executions {
    pub(super) fn register(registry: &mut Registry, engine: &EngineConfig, buckets: &Buckets) -> Self {
        let phases = || Phase::ALL.map(Phase::as_str);
        let duration = buckets.new_metric();
        let metrics = Self {
            by_status: counters(
                registry,
                "executions",
                "Executions that were answered, by how the code ended",
                "status",
                Status::ALL.map(Status::as_str),
            ),
            refused: counters(
                registry,
                "executions_refused",
                "Executions that were turned away before they got a turn",
                "reason",
                REFUSALS,
            ),
            failed: counters(
                registry,
                "executions_failed",
                "Executions that the service could not carry out",
                "reason",
                FAILURES,
            ),
            abandoned: counter(
                registry,
                "executions_abandoned",
                "Executions whose client left before the answer",
            ),
            retried: counter(
                registry,
                "executions_retried",
                "Containers that died before the code started, so that another was taken",
            ),
            data_failures: counter(
                registry,
                "data_read_failures",
                "Uploaded data that code asked for and that could not be read, or not in its time",
            ),
            in_phase: gauges(
                registry,
                "executions_in_phase",
                "Executions in each phase now",
                "phase",
                phases(),
            ),
            phase_duration: durations(
                registry,
                "phase_duration",
                "Time of each phase of an execution that was passed",
                "phase",
                phases(),
                buckets,
            ),
            duration: duration.clone(),
        };
        registry.register_with_unit(
            "execution_duration",
            "Time from the arrival of an execution to its outcome",
            Unit::Seconds,
            duration,
        );
        let limits = [
            ("executions_limit", "Executions that may run at once", engine.max_executions.get()),
            ("queue_limit", "Executions that may wait for a turn", engine.queue_size),
        ];
        for (name, help, limit) in limits {
            registry.register(name, help, ConstGauge::new(i64::from(limit)));
        }
        metrics
    }

    pub(super) fn entered(&self, phase: Phase) {
        self.in_phase.of(phase.as_str()).inc();
    }

    pub(super) fn left(&self, phase: Phase, took: Duration, passed: bool) {
        self.in_phase.of(phase.as_str()).dec();
        // What a refused request has waited, or one whose client left, says nothing of how long the phase takes.
        if passed {
            self.phase_duration.of(phase.as_str()).observe(took.as_secs_f64());
        }
    }

    pub(super) fn executed(&self, status: Status, took: Duration) {
        self.by_status.of(status.as_str()).inc();
        self.duration.observe(took.as_secs_f64());
    }

    pub(super) fn not_executed(&self, error: &ExecuteError) {
        let (counters, reason) = match error {
            ExecuteError::Admission(AdmissionError::QueueFull { .. }) => (&self.refused, "queue_full"),
            ExecuteError::Admission(AdmissionError::QueueTimeout { .. }) => (&self.refused, "queue_timeout"),
            ExecuteError::Admission(AdmissionError::Draining) => (&self.refused, "draining"),
            ExecuteError::Forbidden => (&self.refused, "key_removed"),
            ExecuteError::Launch(_) => (&self.failed, "no_container"),
            ExecuteError::NotStarted => (&self.failed, "not_started"),
            ExecuteError::Lost(_) => (&self.failed, "lost"),
            ExecuteError::Pack(_) => (&self.failed, "pack"),
        };
        counters.of(reason).inc();
    }
}
