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

#[derive(Debug)]
pub(super) struct LevelGauges {
    containers: Level,
    store_values: Level,
    store_bytes: Level,
    store_limit: Level,
    body_bytes: Level,
    body_limit: Level,
}

impl LevelGauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let mut gauge = |name, help, unit: Option<Unit>| {
            let gauge = Level::default();
            match unit {
                Some(unit) => registry.register_with_unit(name, help, unit, gauge.clone()),
                None => registry.register(name, help, gauge.clone()),
            }
            gauge
        };
        Self {
            containers: gauge("containers", "Containers of this control plane, in whatever state", None),
            store_values: gauge("store_values", "Stored values", None),
            store_bytes: gauge("store", "Room that stored values and uploads take", Some(Unit::Bytes)),
            store_limit: gauge("store_limit", "Room that they may take", Some(Unit::Bytes)),
            body_bytes: gauge("request_body", "Memory held for request bodies", Some(Unit::Bytes)),
            body_limit: gauge("request_body_limit", "Memory that may be held for them", Some(Unit::Bytes)),
        }
    }

    pub(super) fn set(&self, levels: &Levels) {
        let Levels { containers, store_values, store_bytes, store_limit, body_bytes, body_limit } = *levels;
        self.containers.set(containers);
        self.store_values.set(store_values);
        self.store_bytes.set(store_bytes);
        self.store_limit.set(store_limit);
        self.body_bytes.set(body_bytes);
        self.body_limit.set(body_limit);
    }
}
