//! How long a turn is held, lately, and from that when it is worth coming back.
//!
//! While all turns are taken they come free at the rate of their number divided by the time that one is held. That time is an
//! exponentially weighted mean: the latest turn that was given back counts an eighth of it, so about the last ten decide.
//! While those that are held now are older than that on the average, their age counts instead: the estimate grows as
//! long as nothing comes back. A plain count of executions a second would tell how many were asked for lately, not how
//! many could have been served.

use std::time::Duration;

/// Share of the latest turn in the mean.
const WEIGHT: f64 = 0.125;
const SHORTEST: f64 = 1.0;
const LONGEST: f64 = 60.0;

/// The mean, in seconds.
#[derive(Debug, Default)]
pub(super) struct TurnTime(Option<f64>);

impl TurnTime {
    /// A turn was given back after so long.
    pub(super) fn held(&mut self, time: Duration) {
        let time = time.as_secs_f64();
        self.0 = Some(self.0.map_or(time, |mean| mean + (time - mean) * WEIGHT));
    }

    /// In how long every turn will have come back `rounds` times, given the ages of those that are held. From a second to a
    /// minute: less is no wait, more would be a guess.
    pub(super) fn retry_after(&self, rounds: f64, ages: impl Iterator<Item = Duration>) -> Duration {
        let (count, sum) = ages.fold((0.0, 0.0), |(count, sum), age| (count + 1.0, sum + age.as_secs_f64()));
        let mean_age = if count > 0.0 { sum / count } else { 0.0 };
        let seconds = rounds * self.0.unwrap_or_default().max(mean_age);
        Duration::from_secs_f64(seconds.clamp(SHORTEST, LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(turns: &[f64], rounds: f64, ages: &[f64]) -> f64 {
        let mut turn_time = TurnTime::default();
        turns.iter().for_each(|time| turn_time.held(Duration::from_secs_f64(*time)));
        let ages = ages.iter().map(|age| Duration::from_secs_f64(*age));
        turn_time.retry_after(rounds, ages).as_secs_f64()
    }

    #[test]
    fn it_is_the_time_of_a_turn_for_each_round_within_a_second_and_a_minute() {
        assert_eq!(after(&[2.0], 5.0, &[]), 10.0);
        assert_eq!(after(&[0.004], 5.0, &[0.001]), 1.0);
        assert_eq!(after(&[30.0], 5.0, &[]), 60.0);
        assert_eq!(after(&[], 5.0, &[]), 1.0);
    }

    #[test]
    fn the_latest_turns_count_most() {
        let slower = after(&[[1.0; 20], [3.0; 20]].concat(), 1.0, &[]);
        assert!((2.8..3.0).contains(&slower), "{slower}");
        let once = after(&[[1.0; 20].as_slice(), &[3.0]].concat(), 1.0, &[]);
        assert_eq!(once, 1.25);
    }

    #[test]
    fn it_grows_while_nothing_comes_back() {
        assert_eq!(after(&[0.1; 9], 2.0, &[8.0, 12.0]), 20.0);
        assert_eq!(after(&[], 2.0, &[8.0, 12.0]), 20.0);
    }
}
