//! How often a tenant may have something run.

use std::{fmt, num::NonZeroU32, time::Duration};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter, clock::Clock};

/// So many executions a second or a minute: as many at once after a pause, then evenly one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    per: Period,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    Second,
    Minute,
}

impl Rate {
    /// Above it the time between two is no whole number of microseconds any more, and no limit either.
    const HIGHEST: u32 = 1_000_000;

    /// Reads `10/s` or `90/m`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (count, per) = text.split_once('/')?;
        let per = match per {
            "s" => Period::Second,
            "m" => Period::Minute,
            _ => return None,
        };
        let count = count.parse::<NonZeroU32>().ok().filter(|count| count.get() <= Self::HIGHEST)?;
        Some(Self { count, per })
    }

    fn quota(self) -> Quota {
        match self.per {
            Period::Second => Quota::per_second(self.count),
            Period::Minute => Quota::per_minute(self.count),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Period::Second => "second",
            Period::Minute => "minute",
        };
        write!(f, "{} a {per}", self.count)
    }
}

/// The tenant has used up its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this tenant's executions are limited to {rate}")]
pub struct RateExceeded {
    /// What it may.
    pub rate: Rate,
    /// Until the next one may come.
    pub wait: Duration,
}

/// What is used up of a rate.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) rate: Rate,
    limiter: DefaultDirectRateLimiter,
}

impl Meter {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, limiter: RateLimiter::direct(rate.quota()) }
    }

    /// Takes one.
    pub(crate) fn take(&self) -> Result<(), RateExceeded> {
        self.limiter.check().map_err(|until| RateExceeded {
            rate: self.rate,
            wait: until.wait_time_from(self.limiter.clock().now()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_a_second_or_a_minute() {
        for (text, shown) in
            [("1/s", "1 a second"), ("90/m", "90 a minute"), ("1000000/s", "1000000 a second")]
        {
            assert_eq!(Rate::parse(text).unwrap().to_string(), shown);
        }
        for bad in ["", "1", "/s", "0/s", "-1/s", "1/h", "1/S", "1 /s", "1.5/s", "1000001/s", "1/s/s"] {
            assert_eq!(Rate::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn as_many_as_the_rate_come_in_at_once_and_the_next_is_told_how_long_to_wait() {
        for (text, count, least, most) in [("5/m", 5, 11.0, 12.0), ("2/s", 2, 0.3, 0.5)] {
            let meter = Meter::new(Rate::parse(text).unwrap());
            for _ in 0..count {
                assert_eq!(meter.take(), Ok(()));
            }
            let refused = meter.take().unwrap_err();
            let wait = refused.wait.as_secs_f64();
            assert!(least < wait && wait <= most, "{refused}");
        }
    }

    #[test]
    fn whoever_waits_as_long_as_told_comes_in() {
        let meter = Meter::new(Rate::parse("20/s").unwrap());
        while meter.take().is_ok() {}
        std::thread::sleep(meter.take().unwrap_err().wait);
        assert_eq!(meter.take(), Ok(()));
    }
}
