//! Metrics with one label, and buckets for durations.

use std::{fmt::Debug, ops::Deref, sync::Arc, time::Duration};

use prometheus_client::{
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};

type Label = [(&'static str, &'static str); 1];

/// A metric for each value of a label. All that are known ahead are there from the start: a rate over a counter that
/// appears with its first event would miss that one.
#[derive(Clone, Debug)]
pub(super) struct ByLabel<M, C = fn() -> M> {
    label: &'static str,
    family: Family<Label, M, C>,
}

impl<M: Clone, C: MetricConstructor<M>> ByLabel<M, C> {
    fn new(label: &'static str, values: impl IntoIterator<Item = &'static str>, constructor: C) -> Self {
        let by_label = Self { label, family: Family::new_with_constructor(constructor) };
        for value in values {
            by_label.of(value);
        }
        by_label
    }

    pub(super) fn of(&self, value: &'static str) -> impl Deref<Target = M> + '_ {
        self.family.get_or_create(&[(self.label, value)])
    }
}

pub(super) fn counters(
    registry: &mut Registry,
    name: &str,
    help: &str,
    label: &'static str,
    values: impl IntoIterator<Item = &'static str>,
) -> ByLabel<Counter> {
    let counters = ByLabel::new(label, values, Counter::default as fn() -> Counter);
    registry.register(name, help, counters.family.clone());
    counters
}

pub(super) fn gauges(
    registry: &mut Registry,
    name: &str,
    help: &str,
    label: &'static str,
    values: impl IntoIterator<Item = &'static str>,
) -> ByLabel<Gauge> {
    let gauges = ByLabel::new(label, values, Gauge::default as fn() -> Gauge);
    registry.register(name, help, gauges.family.clone());
    gauges
}

pub(super) fn durations(
    registry: &mut Registry,
    name: &str,
    help: &str,
    label: &'static str,
    values: impl IntoIterator<Item = &'static str>,
    buckets: &Buckets,
) -> ByLabel<Histogram, Buckets> {
    let durations = ByLabel::new(label, values, buckets.clone());
    registry.register_with_unit(name, help, Unit::Seconds, durations.family.clone());
    durations
}

pub(super) fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

/// Upper bounds of the buckets of a histogram of durations, seconds.
#[derive(Clone, Debug)]
pub(super) struct Buckets(Arc<[f64]>);

impl Buckets {
    /// From a millisecond, three for each power of ten, to `longest`.
    pub(super) fn up_to(longest: Duration) -> Self {
        let steps = (0..).flat_map(|power| [1_000, 2_500, 5_000].map(|micros| micros * 10_u64.pow(power)));
        let bounds = steps.map(Duration::from_micros).take_while(|bound| *bound < longest).chain([longest]);
        Self(bounds.map(|bound| bound.as_secs_f64()).collect())
    }
}

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_reach_from_a_millisecond_to_the_longest_time() {
        let buckets = |longest| Buckets::up_to(longest).0.to_vec();
        assert_eq!(
            buckets(Duration::from_secs(2)),
            [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0]
        );
        assert_eq!(buckets(Duration::from_millis(1)), [0.001]);
        let day = buckets(Duration::from_secs(86_400));
        assert_eq!((day.len(), day.last()), (25, Some(&86_400.0)));
    }
}
