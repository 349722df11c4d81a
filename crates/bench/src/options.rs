//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The runner image of this version.
const RUNNER_IMAGE: &str = concat!("code-sandbox-runner:", env!("CARGO_PKG_VERSION"));

/// Measures a build of code-sandbox on the Docker engine that DOCKER_HOST names.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub(crate) struct Options {
    /// The control plane to measure.
    #[arg(
        long,
        env = "BENCH_BINARY",
        default_value = "target/release/code-sandbox",
        value_name = "PATH",
        global = true
    )]
    pub(crate) binary: PathBuf,

    /// Image of the runner.
    #[arg(long, default_value = RUNNER_IMAGE, value_name = "NAME", global = true)]
    pub(crate) image: String,

    /// Warm containers the product keeps. 0: the flag is not passed on, and every call starts its container.
    #[arg(long, default_value_t = 8, value_name = "NUMBER", global = true)]
    pub(crate) pool_size: usize,

    /// One more argument for the product, beside those that a measurement needs; may be given several times.
    #[arg(long, value_name = "--FLAG=VALUE", allow_hyphen_values = true, global = true)]
    pub(crate) product_flag: Vec<String>,

    /// Keep the product's log in this folder.
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) keep_logs: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Latency, rates, memory and idle cost, beside the raw engine and an in-process service.
    Measure(Plan),
    /// A long load that looks for what grows, leaks or is answered wrongly.
    Soak(SoakPlan),
    /// The same with a fifth of it hostile and uploads beside it, while containers are killed, the engine is restarted and the
    /// control plane is killed twice. By scripts/own-engine.sh, as root.
    Mixed(MixedPlan),
}

/// What is measured, and how often.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    /// Measure only these, in this order of the report.
    #[arg(long, value_delimiter = ',', value_name = "PART,...")]
    pub(crate) only: Vec<Part>,

    /// The folder with the in-process service's Python packages (scripts/bench.sh makes it).
    #[arg(long, env = "BENCH_SITE", default_value = "target/tools/bench-site", value_name = "PATH")]
    pub(crate) site: PathBuf,

    /// Folder of the in-process service's source.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/service"), value_name = "PATH")]
    pub(crate) service: PathBuf,

    /// Calls per row of the latency table, for small calls.
    #[arg(long, default_value_t = 200, value_name = "NUMBER")]
    pub(crate) samples: usize,

    /// The same for calls with a megabyte or more.
    #[arg(long, default_value_t = 40, value_name = "NUMBER")]
    pub(crate) heavy_samples: usize,

    /// How often product and raw engine take turns.
    #[arg(long, default_value_t = 3, value_name = "NUMBER")]
    pub(crate) rounds: usize,

    /// Seconds that each of them is measured for in its turn.
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    pub(crate) seconds: u64,

    /// Numbers of containers at once that the raw engine is tried with.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3, 4, 6], value_name = "NUMBER,...")]
    pub(crate) concurrency: Vec<usize>,

    /// Calls at once that empty the pool.
    #[arg(long, default_value_t = 100, value_name = "NUMBER")]
    pub(crate) burst: u64,

    /// Calls between the two looks at the control plane's memory.
    #[arg(long, default_value_t = 2000, value_name = "NUMBER")]
    pub(crate) memory_calls: u64,
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Latency within the pool, beside the in-process service.
    Latency,
    /// Rate beyond the pool, beside the raw engine.
    Sustained,
    /// A burst that empties the pool, beside the raw engine.
    Burst,
    /// What a service costs that nobody calls.
    Quiet,
    /// One call a second beside another tenant's flood.
    Flood,
    /// From a print to the client of a stream, and one that reads a megabyte a second.
    Stream,
    /// What keys, metrics and traces cost, the last if the binary was built with them.
    Observed,
    /// The control plane's memory.
    Memory,
}

impl Plan {
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// A long load.
#[derive(Clone, Debug, Args)]
pub(crate) struct SoakPlan {
    /// Calls in all.
    #[arg(long, default_value_t = 10_000, value_name = "NUMBER")]
    pub(crate) calls: u64,

    /// Calls at the same time.
    #[arg(long, default_value_t = 8, value_name = "NUMBER")]
    pub(crate) clients: usize,

    /// Kill random warm containers all the while: needs root, on the engine's machine.
    #[arg(long)]
    pub(crate) kill: bool,

    /// Milliseconds that a client rests between two calls [default: 0; with --kill 1000, else hardly one would be warm].
    #[arg(long, value_name = "MILLISECONDS")]
    pub(crate) pause: Option<u64>,

    #[arg(long, env = "OWN_ENGINE", hide = true)]
    pub(crate) own_engine: Option<PathBuf>,
}

/// A long load of all kinds.
#[derive(Clone, Debug, Args)]
pub(crate) struct MixedPlan {
    /// Calls in all; one that is lost to a fault is made again and counts once.
    #[arg(long, default_value_t = 10_000, value_name = "NUMBER")]
    pub(crate) calls: u64,

    /// Calls at the same time.
    #[arg(long, default_value_t = 8, value_name = "NUMBER")]
    pub(crate) clients: usize,

    /// Folder of the engine, as scripts/own-engine.sh tells it.
    #[arg(long, env = "OWN_ENGINE", hide = true)]
    pub(crate) own_engine: Option<PathBuf>,
}
