//! Every flag: its meaning, unit, default and range.

use std::{
    ffi::OsString,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    thread::available_parallelism,
    time::Duration,
};

use api::ApiConfig;
use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use engine::{
    Bounds, EngineConfig, MIN_MEMORY, PoolConfig, ReturnLimits, driver::hardening::Hardening, size::ByteSize,
};
use store::StoreLimits;
use telemetry::logging::Format;
use tracing::level_filters::LevelFilter;

use super::{
    Config, Conflict,
    values::{Preloads, Seconds, docker_host, duration, image, milli_cpus, number, preloads, size},
};

/// Name of the runner image this version is released with.
const RUNNER_IMAGE: &str = concat!("code-sandbox-runner:", env!("CARGO_PKG_VERSION"));

/// Where an engine listens by itself.
const LOCAL_ENGINE: &str = "unix:///var/run/docker.sock";

#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// Address and port to listen on.
    #[arg(long, env = "CODE_SANDBOX_LISTEN", default_value = "0.0.0.0:8000", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,

    /// File with the keys of those who may call, a line each; read again when it changes [default: whoever can reach the API
    /// may call].
    #[arg(long, env = "CODE_SANDBOX_API_KEYS_FILE", value_name = "PATH")]
    api_keys_file: Option<PathBuf>,

    /// Docker engine: `unix:///path` or `tcp://address:port` [default: $DOCKER_HOST, else the local socket].
    #[arg(long, env = "CODE_SANDBOX_DOCKER_HOST", value_name = "URL", value_parser = docker_host)]
    docker_host: Option<String>,

    /// Image of the runner.
    #[arg(long, env = "CODE_SANDBOX_IMAGE", default_value = RUNNER_IMAGE, value_name = "NAME", value_parser = image)]
    image: String,

    /// OCI runtime of the containers, such as `runc`, `crun` or `runsc` [default: the engine's own].
    #[arg(long, env = "CODE_SANDBOX_RUNTIME", value_name = "NAME")]
    runtime: Option<String>,

    /// Wall-clock time of an execution that names none.
    #[arg(long, env = "CODE_SANDBOX_TIMEOUT", default_value = "30s", value_name = "TIME", value_parser = duration("1ms", "24h"))]
    timeout: Seconds,

    /// Longest time an execution may name.
    #[arg(long, env = "CODE_SANDBOX_MAX_TIMEOUT", default_value = "5m", value_name = "TIME", value_parser = duration("1ms", "24h"))]
    max_timeout: Seconds,

    /// Memory of an execution that names none.
    #[arg(long, env = "CODE_SANDBOX_MEMORY", default_value = "512m", value_name = "SIZE", value_parser = size("32m", "1t"))]
    memory: ByteSize,

    /// Most memory an execution may name.
    #[arg(long, env = "CODE_SANDBOX_MAX_MEMORY", default_value = "2g", value_name = "SIZE", value_parser = size("32m", "1t"))]
    max_memory: ByteSize,

    /// Processors of an execution.
    #[arg(long, env = "CODE_SANDBOX_CPUS", default_value = "1", value_name = "NUMBER", value_parser = milli_cpus)]
    cpus: NonZeroU32,

    /// Processes and threads of an execution, the runner's own included.
    #[arg(long, env = "CODE_SANDBOX_PIDS", default_value = "128", value_name = "NUMBER", value_parser = number(8, 32_768))]
    pids: u32,

    /// Size of `/workspace`, the current directory; counts as memory.
    #[arg(long, env = "CODE_SANDBOX_WORKSPACE_SIZE", default_value = "64m", value_name = "SIZE", value_parser = size("1m", "1t"))]
    workspace_size: ByteSize,

    /// Size of `/tmp`; counts as memory.
    #[arg(long, env = "CODE_SANDBOX_TMP_SIZE", default_value = "64m", value_name = "SIZE", value_parser = size("1m", "1t"))]
    tmp_size: ByteSize,

    /// Size of `/dev/shm`; counts as memory.
    #[arg(long, env = "CODE_SANDBOX_SHM_SIZE", default_value = "32m", value_name = "SIZE", value_parser = size("1m", "1t"))]
    shm_size: ByteSize,

    /// Most an execution may write to stdout, and to stderr.
    #[arg(long, env = "CODE_SANDBOX_OUTPUT_LIMIT", default_value = "1m", value_name = "SIZE", value_parser = size("1k", "1g"))]
    output_limit: ByteSize,

    /// Most the encoded result of an execution may have.
    #[arg(long, env = "CODE_SANDBOX_RESULT_LIMIT", default_value = "8m", value_name = "SIZE", value_parser = size("1k", "1g"))]
    result_limit: ByteSize,

    /// Most the figures of an execution, as PNG, and its display may have together.
    #[arg(long, env = "CODE_SANDBOX_FIGURES_LIMIT", default_value = "16m", value_name = "SIZE", value_parser = size("1k", "1g"))]
    figures_limit: ByteSize,

    /// New and changed files that come back of an execution; 0: none.
    #[arg(long, env = "CODE_SANDBOX_MAX_OUTPUT_FILES", default_value = "64", value_name = "NUMBER", value_parser = number(0, 10_000))]
    max_output_files: u32,

    /// Most the files that come back of an execution may have together.
    #[arg(long, env = "CODE_SANDBOX_FILES_LIMIT", default_value = "16m", value_name = "SIZE", value_parser = size("1k", "1g"))]
    files_limit: ByteSize,

    /// Most a request body may have, uploads excepted.
    #[arg(long, env = "CODE_SANDBOX_MAX_BODY", default_value = "32m", value_name = "SIZE", value_parser = size("1k", "256m"))]
    max_body: ByteSize,

    /// Most the code of a request may have.
    #[arg(long, env = "CODE_SANDBOX_MAX_CODE_SIZE", default_value = "1m", value_name = "SIZE", value_parser = size("1", "1g"))]
    max_code_size: ByteSize,

    /// Executions at the same time [default: twice the processors].
    #[arg(long, env = "CODE_SANDBOX_MAX_EXECUTIONS", value_name = "NUMBER", value_parser = number(1, 10_000))]
    max_executions: Option<u32>,

    /// Requests that may wait for a running execution to end.
    #[arg(long, env = "CODE_SANDBOX_QUEUE_SIZE", default_value = "64", value_name = "NUMBER", value_parser = number(0, 100_000))]
    queue_size: u32,

    /// Longest time a request may wait.
    #[arg(long, env = "CODE_SANDBOX_QUEUE_TIMEOUT", default_value = "30s", value_name = "TIME", value_parser = duration("1ms", "1h"))]
    queue_timeout: Seconds,

    /// Containers that stand ready, each for one execution; 0: every request waits for the start of its own
    /// [default: 4 a processor, as far as they fit into a quarter of the memory that is free].
    #[arg(long, env = "CODE_SANDBOX_POOL_SIZE", value_name = "NUMBER", value_parser = number(0, 1_000))]
    pool_size: Option<u32>,

    /// Modules that a container imports while it stands ready, in this order; empty for none.
    #[arg(
        long,
        env = "CODE_SANDBOX_PRELOAD",
        default_value = "numpy,pandas,matplotlib.pyplot",
        value_name = "MODULES",
        value_parser = preloads
    )]
    preload: Preloads,

    /// How long a container may stand ready before it is replaced.
    #[arg(long, env = "CODE_SANDBOX_POOL_MAX_AGE", default_value = "1h", value_name = "TIME", value_parser = duration("1s", "30days"))]
    pool_max_age: Seconds,

    /// Containers that are started, and separately that import modules, at the same time [default: the processors].
    #[arg(long, env = "CODE_SANDBOX_REFILL_CONCURRENCY", value_name = "NUMBER", value_parser = number(1, 1_000))]
    refill_concurrency: Option<u32>,

    /// Folder of the uploaded data and of this instance's identity; one control plane each.
    #[arg(long, env = "CODE_SANDBOX_DATA_DIR", default_value = "/data", value_name = "PATH")]
    data_dir: PathBuf,

    /// Most one uploaded value may have.
    #[arg(long, env = "CODE_SANDBOX_MAX_VALUE_SIZE", default_value = "256m", value_name = "SIZE", value_parser = size("1", "1t"))]
    max_value_size: ByteSize,

    /// Most all uploaded values together may have.
    #[arg(long, env = "CODE_SANDBOX_DATA_LIMIT", default_value = "4g", value_name = "SIZE", value_parser = size("1", "1024t"))]
    data_limit: ByteSize,

    /// How long after its upload began a value is deleted, also one that is there already [default: never].
    #[arg(long, env = "CODE_SANDBOX_DATA_TTL", value_name = "TIME", value_parser = duration("1s", "3650days"))]
    data_ttl: Option<Seconds>,

    /// How long running executions may go on after SIGTERM, SIGINT or SIGHUP before they are cancelled.
    #[arg(long, env = "CODE_SANDBOX_DRAIN_TIMEOUT", default_value = "30s", value_name = "TIME", value_parser = duration("0s", "24h"))]
    drain_timeout: Seconds,

    /// OpenTelemetry collector that gets traces, by OTLP over HTTP, such as `http://127.0.0.1:4318` [default: none].
    #[cfg(feature = "otlp")]
    #[arg(long, env = "CODE_SANDBOX_OTLP_ENDPOINT", value_name = "URL", value_parser = super::values::http_url)]
    otlp_endpoint: Option<String>,

    /// How a log line looks: `auto` is text on a terminal and JSON elsewhere.
    #[arg(long, env = "CODE_SANDBOX_LOG_FORMAT", default_value = "auto", value_name = "FORMAT")]
    log_format: LogFormat,

    /// What is logged.
    #[arg(
        long,
        env = "CODE_SANDBOX_LOG_LEVEL",
        default_value = "info",
        value_name = "LEVEL",
        value_parser = PossibleValuesParser::new(LEVELS).try_map(|level| level.parse::<LevelFilter>())
    )]
    log_level: LevelFilter,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Auto,
    Text,
    Json,
}

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// Longest pause between two parts of a request body.
const BODY_IDLE: Duration = Duration::from_secs(10);
/// Longest silence of a stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Longest time a request body, uploads excepted, may take.
const BODY_TOTAL: Duration = Duration::from_secs(60);

/// Answers of the largest size that may wait for their clients while every slot is taken.
const ANSWERS_OUT: u64 = 4;

/// Request bodies of the largest size that may be read while every slot is taken.
const BODIES_IN: u64 = 4;

impl Flags {
    /// What may come back of an execution, bytes: figures and files are a third longer in base64.
    fn largest_answer(&self) -> u64 {
        let [output, result, figures, files] =
            [&self.output_limit, &self.result_limit, &self.figures_limit, &self.files_limit]
                .map(|limit| limit.0);
        let base64 = figures.saturating_add(files) / 3 * 4;
        output.saturating_mul(2).saturating_add(result).saturating_add(base64)
    }

    /// Checks what no flag can check alone.
    pub(crate) fn config(self) -> Result<Config, Conflict> {
        not_above("timeout", self.timeout, "max-timeout", self.max_timeout)?;
        not_above("memory", self.memory, "max-memory", self.max_memory)?;
        not_above("max-value-size", self.max_value_size, "data-limit", self.data_limit)?;
        let file_systems = self.workspace_size.0 + self.tmp_size.0 + self.shm_size.0;
        if file_systems + MIN_MEMORY > self.memory.0 {
            return Err(Conflict(format!(
                "--workspace-size, --tmp-size and --shm-size count as memory: their sum of {} and the {} that the \
                 runner needs must not be above --memory, which is {}",
                ByteSize(file_systems),
                ByteSize(MIN_MEMORY),
                self.memory
            )));
        }
        let largest_answer = self.largest_answer();
        let processors = available_parallelism().map_or(1, NonZeroUsize::get);
        let max_executions = self.max_executions.unwrap_or(u32::try_from(2 * processors).unwrap_or(u32::MAX));
        let refill_concurrency =
            self.refill_concurrency.unwrap_or(u32::try_from(processors).unwrap_or(u32::MAX));
        let docker_host = engine_at(self.docker_host, std::env::var_os("DOCKER_HOST"))?;
        Ok(Config {
            listen: self.listen,
            docker_host,
            data_dir: self.data_dir,
            api_keys_file: self.api_keys_file,
            drain_timeout: self.drain_timeout.0,
            log_format: self.log_format.into(),
            log_level: self.log_level,
            #[cfg(feature = "otlp")]
            otlp_endpoint: self.otlp_endpoint,
            engine: EngineConfig {
                max_executions: NonZeroU32::new(max_executions).unwrap_or(NonZeroU32::MIN),
                queue_size: self.queue_size,
                queue_timeout: self.queue_timeout.0,
                output_limit: self.output_limit.0,
                result_limit: self.result_limit.0,
                returns: ReturnLimits {
                    figures: self.figures_limit.0,
                    max_files: self.max_output_files,
                    files: self.files_limit.0,
                },
                bounds: Bounds {
                    default_timeout: self.timeout.0,
                    max_timeout: self.max_timeout.0,
                    default_memory: self.memory.0,
                    max_memory: self.max_memory.0,
                },
                pool: PoolConfig {
                    // Without the flag decided at start, when the engine can be asked.
                    size: self.pool_size.map_or(0, |size| size as usize),
                    preloads: self.preload.0,
                    max_age: self.pool_max_age.0,
                    refill_concurrency: NonZeroUsize::new(refill_concurrency as usize)
                        .unwrap_or(NonZeroUsize::MIN),
                },
            },
            sizes_pool: self.pool_size.is_none(),
            api: ApiConfig {
                max_body: self.max_body.0,
                max_code_size: self.max_code_size.0,
                max_value_size: self.max_value_size.0,
                body_idle: BODY_IDLE,
                keep_alive: KEEP_ALIVE,
                body_total: BODY_TOTAL,
            },
            // One for every execution, and a few that are on their way in.
            bodies: self.max_body.0.saturating_mul(u64::from(max_executions) + BODIES_IN),
            answers: largest_answer.saturating_mul(u64::from(max_executions) + ANSWERS_OUT),
            store: StoreLimits {
                max_value_size: self.max_value_size.0,
                data_limit: self.data_limit.0,
                ttl: self.data_ttl.map(|ttl| ttl.0),
            },
            container: Hardening {
                image: self.image,
                runtime: self.runtime,
                milli_cpus: self.cpus,
                pids: NonZeroU32::new(self.pids).unwrap_or(NonZeroU32::MIN),
                memory: self.memory.0,
                workspace_size: self.workspace_size.0,
                tmp_size: self.tmp_size.0,
                shm_size: self.shm_size.0,
                instance: String::new(),
                generation: String::new(),
            },
        })
    }
}

/// What the flag says, else the variable that every client of Docker reads, where it is not empty.
fn engine_at(given: Option<String>, variable: Option<OsString>) -> Result<String, Conflict> {
    match (given, variable.filter(|named| !named.is_empty())) {
        (Some(given), _) => Ok(given),
        (None, Some(named)) => docker_host(&named.to_string_lossy()).map_err(|takes| {
            Conflict(format!("DOCKER_HOST is {}, but {takes}: --docker-host wins over it", named.display()))
        }),
        (None, None) => Ok(LOCAL_ENGINE.to_owned()),
    }
}

fn not_above<T: PartialOrd + std::fmt::Display>(
    flag: &str,
    value: T,
    limit_flag: &str,
    limit: T,
) -> Result<(), Conflict> {
    if value <= limit {
        return Ok(());
    }
    Err(Conflict(format!("--{flag} is {value}, above --{limit_flag}, which is {limit}")))
}

impl From<LogFormat> for Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Auto => Self::Auto,
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_the_flags_the_variables_or_the_local_one() {
        let at = |given: Option<&str>, variable: Option<&str>| {
            engine_at(given.map(str::to_owned), variable.map(OsString::from))
                .map_err(|error| error.to_string())
        };
        assert_eq!(at(Some("tcp://a:1"), Some("ssh://b")).unwrap(), "tcp://a:1");
        assert_eq!(at(None, Some("tcp://b:1")).unwrap(), "tcp://b:1");
        assert_eq!(at(None, Some("")).unwrap(), LOCAL_ENGINE);
        assert_eq!(at(None, None).unwrap(), LOCAL_ENGINE);
        let error = at(None, Some("ssh://b")).unwrap_err();
        assert_eq!(
            error,
            "DOCKER_HOST is ssh://b, but takes unix:///path or tcp://address:port: --docker-host wins over it"
        );
    }
}
