//! From samples to figures.

use std::time::Duration;

/// Durations of calls that were all answered right.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest sample that at least `percent` of all are not above: always one that was measured, never one between
    /// two. Zero if there are none.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Duration> {
        self.0.iter().copied()
    }

    pub(crate) fn max(&self) -> Duration {
        self.percentile(100.0)
    }
}

impl Extend<Duration> for Samples {
    fn extend<T: IntoIterator<Item = Duration>>(&mut self, iter: T) {
        self.0.extend(iter);
    }
}

impl FromIterator<Duration> for Samples {
    fn from_iter<T: IntoIterator<Item = Duration>>(iter: T) -> Self {
        Self(iter.into_iter().collect())
    }
}

/// What a closed loop has done in its time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// Completions a second.
    pub(crate) rate: f64,
    /// How long each took.
    pub(crate) samples: Samples,
}

/// The middle one, or the mean of the two in the middle; zero if there are none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// A ratio of two durations.
pub(crate) fn ratio(of: Duration, to: Duration) -> f64 {
    of.as_secs_f64() / to.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(milliseconds: impl IntoIterator<Item = u64>) -> Samples {
        milliseconds.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn a_percentile_is_a_sample_that_so_many_are_not_above() {
        let hundred = samples((1..=100).rev());
        assert_eq!(hundred.percentile(50.0), Duration::from_millis(50));
        assert_eq!(hundred.percentile(95.0), Duration::from_millis(95));
        assert_eq!(hundred.percentile(99.0), Duration::from_millis(99));
        assert_eq!(hundred.max(), Duration::from_millis(100));
    }

    #[test]
    fn few_samples_have_percentiles_too() {
        let three = samples([30, 10, 20]);
        assert_eq!(three.percentile(0.0), Duration::from_millis(10));
        assert_eq!(three.percentile(50.0), Duration::from_millis(20));
        assert_eq!(three.percentile(99.0), Duration::from_millis(30));
        assert_eq!(samples([]).percentile(50.0), Duration::ZERO);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).abs() < 1e-9);
    }

    #[test]
    fn a_ratio_is_of_the_first_to_the_second() {
        assert!((ratio(Duration::from_millis(3), Duration::from_millis(2)) - 1.5).abs() < 1e-9);
    }
}
