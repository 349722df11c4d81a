//! A validated execution request. Nothing downstream checks its fields again.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use serde_json::value::RawValue;
use store::Space;
use uuid::Uuid;

use crate::{files::InputFiles, size::ByteSize, tenant::Tenant};

/// One execution, as asked for.
#[derive(Debug)]
pub struct ExecutionRequest {
    /// Names the execution in answers and logs.
    pub id: Uuid,
    /// Whose it is.
    pub tenant: Tenant,
    /// Executions of this tenant at once; none: as many as anybody's. Admission honours it.
    pub concurrency: Option<NonZeroU32>,
    /// Python source.
    pub code: String,
    /// A JSON object.
    pub input_data: Box<RawValue>,
    /// Wall clock the code may take.
    pub timeout: Timeout,
    /// Memory the container may take.
    pub memory: Memory,
    /// What the code reads from its standard input.
    pub stdin: String,
    /// `sys.argv[1:]`.
    pub args: Vec<String>,
    /// What is in the workspace before the code runs.
    pub files: InputFiles,
    /// Uploaded data that the code may read: its tenant's.
    pub data: Option<Space>,
    /// Asked when the code is about to start.
    pub permit: Permit,
}

/// Whether an execution may still start when it could: whoever asked for it may have lost the right meanwhile.
#[derive(Clone, Default)]
pub struct Permit(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Permit {
    /// As this says then.
    pub fn new(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(holds)))
    }

    pub(crate) fn holds(&self) -> bool {
        self.0.as_ref().is_none_or(|holds| holds())
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit(..)")
    }
}

impl ExecutionRequest {
    /// A run of the service's own, by which it proves something: code that is given nothing.
    pub fn trial(code: String, timeout: Timeout, memory: Memory) -> Self {
        Self {
            id: Uuid::now_v7(),
            tenant: Tenant::service(),
            concurrency: None,
            code,
            input_data: RawValue::from_string("{}".to_owned()).unwrap_or_default(),
            timeout,
            memory,
            stdin: String::new(),
            args: Vec::new(),
            files: InputFiles::default(),
            data: None,
            permit: Permit::default(),
        }
    }
}

/// Wall clock a request may take; made by [`Bounds`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(Duration);

impl Timeout {
    /// The time itself, at least one millisecond.
    pub fn get(self) -> Duration {
        self.0
    }
}

/// Memory a container may take, in bytes; made by [`Bounds`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(u64);

impl Memory {
    /// Bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

/// What a request may ask for, and what it gets when it does not ask.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Time of a request that names none.
    pub default_timeout: Duration,
    /// Longest time a request may name.
    pub max_timeout: Duration,
    /// Memory of a request that names none, bytes.
    pub default_memory: u64,
    /// Most memory a request may name, bytes.
    pub max_memory: u64,
}

/// A value a request may not ask for, in the unit of its field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OutOfRange {
    /// Must be a finite number.
    NotFinite,
    /// Must be above this.
    NotAbove(f64),
    /// Must be at least this.
    Below(f64),
    /// Must be at most this.
    Above(f64),
}

/// What the runner itself needs before user code has allocated anything.
///
/// Measured on Python 3.13: 17 MiB with its forked child idle; the rest is what `print(1)` may take.
pub const MIN_MEMORY: u64 = 32 << 20;

impl Bounds {
    /// The same for somebody who may ask for no more than this: what is granted unasked is no more either.
    pub fn capped(&self, timeout: Option<Duration>, memory: Option<u64>) -> Self {
        let (timeout, memory) = (timeout.unwrap_or(Duration::MAX), memory.unwrap_or(u64::MAX));
        Self {
            default_timeout: self.default_timeout.min(timeout),
            max_timeout: self.max_timeout.min(timeout),
            default_memory: self.default_memory.min(memory),
            max_memory: self.max_memory.min(memory),
        }
    }

    /// The time of a request that names none.
    pub fn default_timeout(&self) -> Timeout {
        Timeout(self.default_timeout)
    }

    /// The memory of a request that names none.
    pub fn default_memory(&self) -> Memory {
        Memory(self.default_memory)
    }

    /// The time for a request that names `seconds`.
    pub fn timeout(&self, seconds: f64) -> Result<Timeout, OutOfRange> {
        let max = self.max_timeout.as_secs_f64();
        match seconds {
            seconds if !seconds.is_finite() => Err(OutOfRange::NotFinite),
            seconds if seconds <= 0.0 => Err(OutOfRange::NotAbove(0.0)),
            seconds if seconds > max => Err(OutOfRange::Above(max)),
            seconds => Ok(Timeout(Duration::from_secs_f64(seconds).max(Duration::from_millis(1)))),
        }
    }

    /// The memory for a request that names `mebibytes`.
    pub fn memory_mib(&self, mebibytes: i64) -> Result<Memory, OutOfRange> {
        let (min, max) = (MIN_MEMORY >> 20, self.max_memory >> 20);
        match u64::try_from(mebibytes) {
            Ok(mebibytes) if mebibytes > max => Err(OutOfRange::Above(max as f64)),
            Ok(mebibytes) if mebibytes >= min => Ok(Memory(mebibytes << 20)),
            _ => Err(OutOfRange::Below(min as f64)),
        }
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ByteSize(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds() -> Bounds {
        Bounds {
            default_timeout: Duration::from_secs(30),
            max_timeout: Duration::from_secs(300),
            default_memory: 512 << 20,
            max_memory: 2 << 30,
        }
    }

    #[test]
    fn a_timeout_is_a_finite_number_above_zero_and_at_most_the_maximum() {
        let timeout = |seconds| bounds().timeout(seconds).map(Timeout::get);
        assert_eq!(timeout(0.5), Ok(Duration::from_millis(500)));
        assert_eq!(timeout(300.0), Ok(Duration::from_secs(300)));
        assert_eq!(timeout(1e-300), Ok(Duration::from_millis(1)));
        assert_eq!(timeout(0.0), Err(OutOfRange::NotAbove(0.0)));
        assert_eq!(timeout(-1.0), Err(OutOfRange::NotAbove(0.0)));
        assert_eq!(timeout(300.1), Err(OutOfRange::Above(300.0)));
        assert_eq!(timeout(1e308), Err(OutOfRange::Above(300.0)));
        assert_eq!(timeout(f64::NAN), Err(OutOfRange::NotFinite));
        assert_eq!(timeout(f64::INFINITY), Err(OutOfRange::NotFinite));
    }

    #[test]
    fn capped_bounds_cap_the_defaults_too_and_never_widen() {
        let capped = bounds().capped(Some(Duration::from_secs(10)), Some(256 << 20));
        assert_eq!(capped.default_timeout().get(), Duration::from_secs(10));
        assert_eq!(capped.timeout(10.1), Err(OutOfRange::Above(10.0)));
        assert_eq!(capped.default_memory().bytes(), 256 << 20);
        assert_eq!(capped.memory_mib(257), Err(OutOfRange::Above(256.0)));
        let wide = bounds().capped(Some(Duration::from_secs(3600)), None);
        assert_eq!(
            (wide.default_timeout, wide.max_timeout),
            (bounds().default_timeout, bounds().max_timeout)
        );
        assert_eq!((wide.default_memory, wide.max_memory), (bounds().default_memory, bounds().max_memory));
    }

    #[test]
    fn memory_lies_between_the_runners_own_need_and_the_maximum() {
        let memory = |mebibytes| bounds().memory_mib(mebibytes).map(Memory::bytes);
        assert_eq!(memory(32), Ok(32 << 20));
        assert_eq!(memory(2048), Ok(2 << 30));
        assert_eq!(memory(31), Err(OutOfRange::Below(32.0)));
        assert_eq!(memory(i64::MIN), Err(OutOfRange::Below(32.0)));
        assert_eq!(memory(2049), Err(OutOfRange::Above(2048.0)));
        assert_eq!(memory(i64::MAX), Err(OutOfRange::Above(2048.0)));
    }
}
