//! Containers: what stands ready, where those that are leased come from, how starts, removals and Docker's calls go.

use std::time::Duration;

use engine::{PoolConfig, driver::Call, events::Supply};
use prometheus_client::{
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};

use super::label::{Buckets, ByLabel, counter, counters, durations};

/// A start or a call to Docker that takes longer is told as that alone.
const LONGEST: Duration = Duration::from_secs(60);

/// Whom a container is started for: a request that waits, or the pool.
const REQUEST: &str = "request";
const REFILL: &str = "refill";

#[derive(Debug)]
pub(super) struct Containers {
    /// By the number of modules they have.
    standing: Vec<Gauge>,
    leases: ByLabel<Counter>,
    start_duration: Histogram,
    start_failures: ByLabel<Counter>,
    pub(super) deaths: Counter,
    pub(super) preload_failures: Counter,
    pub(super) resize_failures: Counter,
    call_duration: ByLabel<Histogram, Buckets>,
    call_errors: ByLabel<Counter>,
    pub(super) removal_failures: Counter,
    quarantined: Gauge,
    quarantines: Counter,
    orphans: Counter,
    pub(super) sweep_failures: Counter,
}

impl Containers {
    pub(super) fn register(registry: &mut Registry, pool: &PoolConfig) -> Self {
        let buckets = Buckets::up_to(LONGEST);
        let calls = || Call::ALL.map(Call::as_str);
        let by_warmth = Family::<[(&'static str, String); 1], Gauge>::default();
        let warmths = std::iter::once("plain").chain(pool.preloads.iter().map(String::as_str));
        let standing =
            warmths.map(|warmth| by_warmth.get_or_create_owned(&[("warmth", warmth.to_owned())])).collect();
        registry.register(
            "pool_containers",
            "Containers that stand ready, by the last module they have imported",
            by_warmth,
        );
        let size = i64::try_from(pool.size).unwrap_or(i64::MAX);
        registry.register("pool_size", "Containers that shall stand ready", ConstGauge::new(size));
        let leases = counters(
            registry,
            "pool_leases",
            "Containers given to executions, by where they came from",
            "supply",
            Supply::ALL.map(Supply::as_str),
        );
        let start_duration = buckets.new_metric();
        registry.register_with_unit(
            "container_start_duration",
            "Time of a container's start, up to its runner's word that it is ready",
            Unit::Seconds,
            start_duration.clone(),
        );
        let call_duration = durations(
            registry,
            "docker_call_duration",
            "Time of the calls to the Docker engine, failed ones included",
            "call",
            calls(),
            &buckets,
        );
        let start_failures = counters(
            registry,
            "container_start_failures",
            "Starts of containers that failed, by whom they were for",
            "purpose",
            [REQUEST, REFILL],
        );
        let quarantined = Gauge::default();
        registry.register(
            "quarantined_containers",
            "Containers that resist removal now",
            quarantined.clone(),
        );
        let mut counter = |name, help| counter(registry, name, help);
        Self {
            standing,
            leases,
            start_duration,
            start_failures,
            deaths: counter("pool_deaths", "Containers that ended while they stood ready"),
            preload_failures: counter("preload_failures", "Modules that could not be imported ahead"),
            resize_failures: counter("resize_failures", "Containers that could not be given more memory"),
            call_duration,
            removal_failures: counter("removal_failures", "Removals that failed and were tried again"),
            quarantined,
            quarantines: counter("quarantines", "Containers that resisted removal for too long"),
            orphans: counter("orphaned_containers", "Containers found that nothing owned any more"),
            sweep_failures: counter("sweep_failures", "Looks for orphaned containers that failed"),
            call_errors: counters(
                registry,
                "docker_call_errors",
                "Calls to the Docker engine that failed",
                "call",
                calls(),
            ),
        }
    }

    pub(super) fn standing(&self, by_level: &[usize]) {
        for (gauge, count) in self.standing.iter().zip(by_level) {
            gauge.set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn leased(&self, supply: Supply) {
        self.leases.of(supply.as_str()).inc();
    }

    pub(super) fn called(&self, call: Call, took: Duration, failed: bool) {
        self.call_duration.of(call.as_str()).observe(took.as_secs_f64());
        if failed {
            self.call_errors.of(call.as_str()).inc();
        }
    }

    pub(super) fn started(&self, took: Duration) {
        self.start_duration.observe(took.as_secs_f64());
    }

    pub(super) fn start_failed(&self, refill: bool) {
        self.start_failures.of(if refill { REFILL } else { REQUEST }).inc();
    }

    pub(super) fn quarantined(&self) {
        self.quarantined.inc();
        self.quarantines.inc();
    }

    pub(super) fn quarantine_ended(&self) {
        self.quarantined.dec();
    }

    pub(super) fn orphaned(&self, count: usize) {
        self.orphans.inc_by(count as u64);
    }
}
