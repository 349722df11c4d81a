//! What a tenant may ask for at most.

use std::{num::NonZeroU32, time::Duration};

use parse_size::Config as SizeConfig;

use crate::rate::Rate;

/// A tenant's own limits, beside those that hold for everybody (none: no other than those), and what few may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Executions at once.
    pub concurrency: Option<NonZeroU32>,
    /// Executions over time.
    pub rate: Option<Rate>,
    /// Longest time an execution may name, and most of what it gets if it names none.
    pub timeout: Option<Duration>,
    /// Most memory an execution may name, and most of what it gets if it names none; bytes.
    pub memory: Option<u64>,
    /// Most that all stored values of the tenant may have, bytes.
    pub data: Option<u64>,
    /// May read the metrics, which tell of all tenants together.
    pub metrics: bool,
}

/// A limit that cannot be taken. It does not quote what it was given, which might be a key in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    /// No limit of ours.
    #[error(
        "after the digest come limits, LIMIT=VALUE each: concurrency, rate, timeout, memory, data, metrics"
    )]
    Unknown,
    /// Said before on the same line.
    #[error("the limit {0} is named twice")]
    Twice(&'static str),
    /// Out of range, or none.
    #[error("the limit {name} takes {takes}")]
    Value {
        /// Which one.
        name: &'static str,
        /// In what form, from where to where.
        takes: &'static str,
    },
}

impl Limits {
    /// Takes one more, such as `rate=10/s`.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), InvalidLimit> {
        let (name, value) = text.split_once('=').ok_or(InvalidLimit::Unknown)?;
        match name {
            "concurrency" => {
                let number = value.parse::<NonZeroU32>().ok().filter(|number| number.get() <= 10_000);
                set(&mut self.concurrency, number, "concurrency", "a number from 1 to 10000")
            }
            "rate" => {
                let takes = "a number from 1 to 1000000 a second or minute, such as 10/s or 90/m";
                set(&mut self.rate, Rate::parse(value), "rate", takes)
            }
            "timeout" => {
                let (least, most) = (Duration::from_millis(1), Duration::from_secs(24 * 60 * 60));
                let time = humantime::parse_duration(value).ok().filter(|time| (least..=most).contains(time));
                set(&mut self.timeout, time, "timeout", "a time from 1ms to 24h, such as 500ms, 30s or 5m")
            }
            "memory" => {
                let takes = "a size from 32m to 1t, such as 512m";
                set(&mut self.memory, size(value, engine::MIN_MEMORY, 1 << 40), "memory", takes)
            }
            "data" => {
                let takes = "a size from 1k to 1024t, such as 1g";
                set(&mut self.data, size(value, 1 << 10, 1 << 50), "data", takes)
            }
            "metrics" => {
                let mut yes = self.metrics.then_some(true);
                set(&mut yes, (value == "yes").then_some(true), "metrics", "yes")?;
                self.metrics = true;
                Ok(())
            }
            _ => Err(InvalidLimit::Unknown),
        }
    }
}

fn set<T>(
    limit: &mut Option<T>,
    value: Option<T>,
    name: &'static str,
    takes: &'static str,
) -> Result<(), InvalidLimit> {
    let value = value.ok_or(InvalidLimit::Value { name, takes })?;
    if limit.replace(value).is_some() { Err(InvalidLimit::Twice(name)) } else { Ok(()) }
}

fn size(text: &str, least: u64, most: u64) -> Option<u64> {
    let size = SizeConfig::new().with_binary().parse_size(text).ok()?;
    (least..=most).contains(&size).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(texts: &[&str]) -> Result<Limits, String> {
        let mut limits = Limits::default();
        for text in texts {
            limits.add(text).map_err(|error| error.to_string())?;
        }
        Ok(limits)
    }

    #[test]
    fn every_limit_is_taken_in_any_order() {
        let all = ["data=1g", "metrics=yes", "memory=512m", "timeout=30s", "rate=10/s", "concurrency=4"];
        let limits = limits(&all).unwrap();
        assert_eq!(limits.concurrency, NonZeroU32::new(4));
        assert_eq!(limits.rate, Rate::parse("10/s"));
        assert_eq!(limits.timeout, Some(Duration::from_secs(30)));
        assert_eq!((limits.memory, limits.data), (Some(512 << 20), Some(1 << 30)));
        assert!(limits.metrics && !Limits::default().metrics);
    }

    #[test]
    fn what_is_wrong_with_a_limit_is_told_without_quoting_it() {
        for (texts, error) in [
            (&["concurrency=0"][..], "the limit concurrency takes a number from 1 to 10000"),
            (
                &["rate=10"],
                "the limit rate takes a number from 1 to 1000000 a second or minute, such as 10/s or 90/m",
            ),
            (&["timeout=25h"], "the limit timeout takes a time from 1ms to 24h, such as 500ms, 30s or 5m"),
            (&["memory=31m"], "the limit memory takes a size from 32m to 1t, such as 512m"),
            (&["metrics=true"], "the limit metrics takes yes"),
            (&["data="], "the limit data takes a size from 1k to 1024t, such as 1g"),
            (&["rate=1/s", "rate=2/s"], "the limit rate is named twice"),
            (&["metrics=yes", "metrics=yes"], "the limit metrics is named twice"),
        ] {
            assert_eq!(limits(texts).unwrap_err(), error);
        }
        for unknown in ["csk_5ec3e7", "csk_=5ec3e7", "Rate=1/s", "=", "x"] {
            let error = limits(&[unknown]).unwrap_err();
            assert!(
                error.starts_with("after the digest come limits") && !error.contains("5ec3e7"),
                "{error}"
            );
        }
    }
}
