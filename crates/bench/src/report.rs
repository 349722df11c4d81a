//! What a person reads: Markdown on stdout, a section as soon as it is measured, the targets in the end; progress on
//! stderr.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use crate::{
    Result,
    docker::Engine,
    options::Options,
    stats::{Samples, Window},
};

/// Collects what must be shown, and prints everything else at once.
#[derive(Debug, Default)]
pub(crate) struct Report {
    targets: Vec<Target>,
}

/// A figure that was promised.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    what: String,
    measured: f64,
    bound: Bound,
}

/// What was promised of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// Nothing: it is only told.
    Told,
}

impl Bound {
    fn holds(self, measured: f64) -> bool {
        match self {
            Self::AtMost(bound) => measured <= bound,
            Self::AtLeast(bound) => measured >= bound,
            Self::Told => true,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bound) => write!(f, "at most {bound}"),
            Self::AtLeast(bound) => write!(f, "at least {bound}"),
            Self::Told => f.write_str("none"),
        }
    }
}

impl Report {
    /// Says on what is measured.
    pub(crate) async fn begin(engine: &Engine, options: &Options, image_id: &str) -> Result<Self> {
        let info = engine.docker.info().await?;
        let text = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
        print(&format!(
            "# Benchmark\n\n\
             {}, {} cores of {}, {} of memory, Linux {}; Docker {} with {} and {}; {} ({}); pool of {}{}\n",
            humantime::format_rfc3339_seconds(SystemTime::now()),
            info.ncpu.unwrap_or_default(),
            processor(),
            mebibytes(u64::try_from(info.mem_total.unwrap_or_default()).unwrap_or_default()),
            text(info.kernel_version),
            text(info.server_version),
            text(info.driver),
            text(info.default_runtime),
            options.image,
            image_id.chars().take(19).collect::<String>(),
            options.pool_size,
            options.product_flag.iter().map(|flag| format!(", `{flag}`")).collect::<String>(),
        ));
        Ok(Self::default())
    }

    /// Prints a table.
    pub(crate) fn section(&self, title: &str, header: &[&str], rows: &[Vec<String>]) {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let header: Vec<String> = header.iter().map(|&cell| cell.to_owned()).collect();
        let rule: Vec<String> = header.iter().map(|_| "---".to_owned()).collect();
        let rows: String = rows.iter().map(|row| line(row)).collect();
        print(&format!("## {title}\n\n{}{}{rows}", line(&header), line(&rule)));
    }

    /// Prints a sentence.
    pub(crate) fn note(&self, text: &str) {
        print(&format!("{text}\n"));
    }

    /// Notes a figure that was promised.
    pub(crate) fn target(&mut self, what: impl Into<String>, measured: f64, bound: Bound) {
        self.targets.push(Target { what: what.into(), measured, bound });
    }

    /// Prints what was promised, and says whether it was kept.
    pub(crate) fn end(&self) -> bool {
        let row = |target: &Target| {
            let verdict = match (target.bound, target.bound.holds(target.measured)) {
                (Bound::Told, _) => "",
                (_, true) => "pass",
                (_, false) => "**MISSED**",
            };
            vec![target.what.clone(), figure(target.measured), target.bound.to_string(), verdict.to_owned()]
        };
        let rows: Vec<_> = self.targets.iter().map(row).collect();
        self.section("Targets", &["what", "measured", "target", ""], &rows);
        self.targets.iter().all(|target| target.bound.holds(target.measured))
    }
}

/// Number of samples and percentiles, as cells.
pub(crate) fn percentiles(samples: &Samples) -> Vec<String> {
    let mut cells = vec![samples.len().to_string()];
    cells.extend([50.0, 95.0, 99.0].map(|percent| milliseconds(samples.percentile(percent))));
    cells.push(milliseconds(samples.max()));
    cells
}

/// The rates of several rounds, as one cell.
pub(crate) fn rates(rounds: &[Window]) -> String {
    rounds.iter().map(|round| format!("{:.2}", round.rate)).collect::<Vec<_>>().join(", ")
}

pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Three digits that matter, but no rounding of whole numbers.
fn figure(value: f64) -> String {
    if value.fract().abs() < 1e-9 {
        format!("{value:.0}")
    } else if value.abs() < 10.0 {
        format!("{value:.3}")
    } else {
        format!("{value:.1}")
    }
}

/// Name of this machine's processor.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or("an unknown processor", |(_, name)| name).to_owned()
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn print(text: &str) {
    println!("{text}");
}

/// Says how far it is.
#[expect(clippy::print_stderr, reason = "for the person who waits; the report is on stdout")]
pub(crate) fn progress(text: &str) {
    eprintln!("bench: {text}");
}

/// How many calls of a long load are answered, however.
#[derive(Debug, Default)]
pub(crate) struct Answered(AtomicU64);

impl Answered {
    /// Tells now and then how far it is.
    pub(crate) fn one_more(&self, of: u64) {
        let answered = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        if answered.is_multiple_of(500) {
            progress(&format!("{answered} of {of} calls"));
        }
    }

    pub(crate) fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_at_its_very_value() {
        assert!(Bound::AtMost(3.0).holds(3.0));
        assert!(!Bound::AtMost(3.0).holds(3.001));
        assert!(Bound::AtLeast(0.95).holds(0.95));
        assert!(!Bound::AtLeast(0.95).holds(0.949));
    }

    #[test]
    fn what_is_not_a_number_keeps_no_promise() {
        assert!(!Bound::AtMost(3.0).holds(f64::NAN));
        assert!(!Bound::AtLeast(0.95).holds(f64::NAN));
    }

    #[test]
    fn one_missed_target_is_a_missed_report() {
        let mut report = Report::default();
        report.target("a", 1.0, Bound::AtMost(2.0));
        assert!(report.end());
        report.target("b", 3.0, Bound::AtMost(2.0));
        assert!(!report.end());
    }

    #[test]
    fn figures_keep_what_matters() {
        assert_eq!(figure(0.0), "0");
        assert_eq!(figure(10_000.0), "10000");
        assert_eq!(figure(1.23456), "1.235");
        assert_eq!(figure(31.26), "31.3");
    }
}
