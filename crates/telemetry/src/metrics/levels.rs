//! How things stand at the moment somebody asks.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    metrics::gauge::Gauge,
    registry::{Registry, Unit},
};

/// What only the service's parts know, asked when Prometheus asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Levels {
    /// Containers there are, in whatever state.
    pub containers: u64,
    /// Stored values.
    pub store_values: u64,
    /// Bytes they take, as `--data-limit` counts them.
    pub store_bytes: u64,
    /// Bytes they may take.
    pub store_limit: u64,
    /// Bytes held for request bodies.
    pub body_bytes: u64,
    /// Bytes that may be held for them.
    pub body_limit: u64,
}

type Level = Gauge<u64, AtomicU64>;
type Read = fn(&Levels) -> u64;

#[derive(Debug)]
pub(super) struct LevelGauges(Vec<(Level, Read)>);

impl LevelGauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let mut gauges = Self(Vec::new());
        let mut add = |name, help, unit, read: Read| {
            let gauge = Level::default();
            match unit {
                Some(unit) => registry.register_with_unit(name, help, unit, gauge.clone()),
                None => registry.register(name, help, gauge.clone()),
            }
            gauges.0.push((gauge, read));
        };
        let bytes = || Some(Unit::Bytes);
        add("containers", "Containers of this control plane, in whatever state", None, |levels| {
            levels.containers
        });
        add("store_values", "Stored values", None, |levels| levels.store_values);
        add("store", "Room that stored values and uploads take", bytes(), |levels| levels.store_bytes);
        add("store_limit", "Room that they may take", bytes(), |levels| levels.store_limit);
        add("request_body", "Memory held for request bodies", bytes(), |levels| levels.body_bytes);
        add("request_body_limit", "Memory that may be held for them", bytes(), |levels| levels.body_limit);
        gauges
    }

    pub(super) fn set(&self, levels: &Levels) {
        for (gauge, read) in &self.0 {
            gauge.set(read(levels));
        }
    }
}
