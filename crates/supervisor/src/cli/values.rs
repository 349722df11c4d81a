//! What a flag's text means. An error says what the flag takes.

use std::{fmt, num::NonZeroU32, time::Duration};

use engine::size::ByteSize;
use parse_size::Config as SizeConfig;

/// A time, as in `30s`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Seconds(pub(super) Duration);

/// Dotted names of Python modules, as in `numpy,pandas`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Preloads(pub(super) Vec<String>);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

/// A parser for sizes from `min` to `max`.
pub(super) fn size(
    min: &'static str,
    max: &'static str,
) -> impl Fn(&str) -> Result<ByteSize, String> + Clone {
    move |text| {
        let parse = |text: &str| SizeConfig::new().with_binary().parse_size(text).ok();
        let value = parse(text).filter(|value| parse(min) <= Some(*value) && Some(*value) <= parse(max));
        value.map(ByteSize).ok_or_else(|| format!("takes a size from {min} to {max}, such as 64m"))
    }
}

/// A parser for times from `min` to `max`.
pub(super) fn duration(
    min: &'static str,
    max: &'static str,
) -> impl Fn(&str) -> Result<Seconds, String> + Clone {
    move |text| {
        let parse = |text: &str| humantime::parse_duration(text).ok();
        let value = parse(text).filter(|value| parse(min) <= Some(*value) && Some(*value) <= parse(max));
        value
            .map(Seconds)
            .ok_or_else(|| format!("takes a time from {min} to {max}, such as 500ms, 30s or 5m"))
    }
}

/// A parser for whole numbers from `min` to `max`.
pub(super) fn number(min: u32, max: u32) -> impl Fn(&str) -> Result<u32, String> + Clone {
    move |text| {
        let value = text.parse().ok().filter(|value| (min..=max).contains(value));
        value.ok_or_else(|| format!("takes a whole number from {min} to {max}"))
    }
}

/// Parses a number of processors, into thousandths. Docker's own least is 0.01; whether the machine has as many is the engine's to say.
pub(super) fn milli_cpus(text: &str) -> Result<NonZeroU32, String> {
    let milli =
        text.parse::<f64>().ok().filter(|cpus| (0.01..=1024.0).contains(cpus)).map(|cpus| cpus * 1000.0);
    milli
        .and_then(|milli| NonZeroU32::new(milli.round() as u32))
        .ok_or_else(|| "takes a number from 0.01 to 1024, such as 1 or 0.5".to_owned())
}

/// Parses a list of modules; whether the image has them shows when they are imported.
pub(super) fn preloads(text: &str) -> Result<Preloads, String> {
    let identifier = |part: &str| {
        !part.is_empty()
            && !part.starts_with(|c: char| c.is_ascii_digit())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let modules: Vec<String> =
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if modules.iter().all(|module| module.len() <= 255 && module.split('.').all(identifier)) {
        Ok(Preloads(modules))
    } else {
        Err("takes names of modules with commas between, such as numpy,pandas,matplotlib.pyplot".to_owned())
    }
}

/// Whether the engine has it shows at start.
pub(super) fn image(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("takes the name of an image".to_owned()) } else { Ok(text.to_owned()) }
}

/// Checks the scheme; the rest is tried at start.
pub(super) fn docker_host(text: &str) -> Result<String, String> {
    let known = ["unix:///", "tcp://", "http://"].iter().any(|scheme| text.starts_with(scheme));
    if known { Ok(text.to_owned()) } else { Err("takes unix:///path or tcp://address:port".to_owned()) }
}

/// Checks the scheme: there is no TLS in here.
#[cfg(feature = "otlp")]
pub(super) fn http_url(text: &str) -> Result<String, String> {
    let address = text.strip_prefix("http://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let known = address.is_some_and(|address| {
        // An address of IPv6 has colons too, in brackets.
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().is_ok()),
            _ => (address, true),
        };
        // The path is the exporter's to add.
        port && !host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])
    });
    if known { Ok(text.to_owned()) } else { Err("takes http://address:port".to_owned()) }
}
