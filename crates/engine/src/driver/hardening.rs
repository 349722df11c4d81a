//! The container's settings: everything between user code and the host.
//!
//! Each field has its reason beside it. Changing one is a security decision: SECURITY.md says what is promised, and the
//! snapshot test below shows the change in review.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    ResourcesUlimits,
};
use serde_json::Value;

use super::{ContainerSpec, cap_variables};
use crate::request::MIN_MEMORY;

/// System calls that Python and the scientific libraries need, in groups with a reason each; everything else fails with an error
/// code.
const SECCOMP_PROFILE: &str = include_str!("seccomp-python.json");
/// The same without the reasons and the white space: it travels in every create request.
static SECCOMP_OPTION: LazyLock<String> = LazyLock::new(|| {
    // What is no JSON the engine refuses.
    let Ok(mut profile) = serde_json::from_str::<Value>(SECCOMP_PROFILE) else {
        return format!("seccomp={SECCOMP_PROFILE}");
    };
    for rule in profile["syscalls"].as_array_mut().into_iter().flatten() {
        rule.as_object_mut().and_then(|rule| rule.remove("comment"));
    }
    format!("seccomp={profile}")
});

/// Empty to whoever looks, on every engine: what each release of Docker's masks by itself, and what tells more of the machine.
const MASKED_PATHS: [&str; 14] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    // While it is read, nobody on the machine gets a lock of a file.
    "/proc/locks",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    // Releases since 28 mask the counters of heat in there one by one; it has those of idle time as well.
    "/sys/devices/system/cpu",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Label that names the control plane a container belongs to.
pub const INSTANCE_LABEL: &str = "code-sandbox.instance";
/// Label that names the process life of that control plane.
pub const GENERATION_LABEL: &str = "code-sandbox.generation";
/// Label with the Unix time at which the container should be gone.
pub const DEADLINE_LABEL: &str = "code-sandbox.deadline";

/// What all containers of one control plane have in common.
#[derive(Clone, Debug)]
pub struct Hardening {
    /// Image of the runner.
    pub image: String,
    /// OCI runtime; the engine's default if none.
    pub runtime: Option<String>,
    /// Processors, in thousandths.
    pub milli_cpus: NonZeroU32,
    /// Processes and threads.
    pub pids: NonZeroU32,
    /// Memory limit the three file systems below are sized for, bytes.
    pub memory: u64,
    /// Size of `/workspace`, bytes.
    pub workspace_size: u64,
    /// Size of `/tmp`, bytes.
    pub tmp_size: u64,
    /// Size of `/dev/shm`, bytes.
    pub shm_size: u64,
    /// Value of [`INSTANCE_LABEL`].
    pub instance: String,
    /// Value of [`GENERATION_LABEL`].
    pub generation: String,
}

impl Hardening {
    /// The create request for one container.
    pub fn container(&self, spec: &ContainerSpec) -> ContainerCreateBody {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let labels = HashMap::from([
            (INSTANCE_LABEL.to_owned(), self.instance.clone()),
            (GENERATION_LABEL.to_owned(), self.generation.clone()),
            (DEADLINE_LABEL.to_owned(), (now + spec.lifetime).as_secs().to_string()),
        ]);
        let threads = self.milli_cpus.get().div_ceil(1000);
        ContainerCreateBody {
            image: Some(self.image.clone()),
            // Constant, so that user code cannot tell containers or hosts apart.
            hostname: Some("sandbox".to_owned()),
            user: Some(format!("{0}:{0}", spec.user)),
            // `os.cpu_count()` shows the host's processors: without these, BLAS starts a thread for each.
            env: Some(
                ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"]
                    .map(|name| format!("{name}={threads}"))
                    .into_iter()
                    .chain(cap_variables(spec.caps).map(|(name, value)| format!("{name}={value}")))
                    .collect(),
            ),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(false),
            open_stdin: Some(true),
            // If the control plane dies its attach ends, stdin closes, and the runner exits by itself.
            stdin_once: Some(true),
            // An empty network namespace without libnetwork's helper processes: twice as quick to start.
            network_disabled: Some(true),
            // A derived image's health check would exec into the container.
            healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }),
            labels: Some(labels),
            host_config: Some(self.host_config(spec)),
            ..Default::default()
        }
    }

    fn host_config(&self, spec: &ContainerSpec) -> HostConfig {
        let memory = i64_of(spec.memory.bytes());
        let workspace = self.scaled(self.workspace_size, spec);
        let tmp = self.scaled(self.tmp_size, spec);
        let shm = self.scaled(self.shm_size, spec);
        let tmpfs = |size: u64| {
            let user = spec.user;
            // Without a cap on inodes empty files would take kernel memory without end.
            let inodes = (size / 4096).max(256);
            format!("rw,nosuid,nodev,noexec,size={size},nr_inodes={inodes},mode=0700,uid={user},gid={user}")
        };
        HostConfig {
            network_mode: Some("none".to_owned()),
            memory: Some(memory),
            // Equal to memory: memory alone allows as much swap again.
            memory_swap: Some(memory),
            // Zero would mean unlimited.
            pids_limit: Some(i64::from(self.pids.get())),
            nano_cpus: Some(i64::from(self.milli_cpus.get()) * 1_000_000),
            readonly_rootfs: Some(true),
            tmpfs: Some(HashMap::from([
                ("/workspace".to_owned(), tmpfs(workspace)),
                ("/tmp".to_owned(), tmpfs(tmp)),
                // The engine's own would have no cap on inodes.
                ("/dev/shm".to_owned(), tmpfs(shm)),
                // In the place of the pseudo-terminals: what is written to one the kernel works on in threads of its own, which
                // no limit of the container's counts, and all containers share their number.
                ("/dev/pts".to_owned(), "ro,nosuid,nodev,noexec,size=4096,nr_inodes=1,mode=0555".to_owned()),
            ])),
            shm_size: Some(i64_of(shm)),
            cap_drop: Some(vec!["ALL".to_owned()]),
            privileged: Some(false),
            security_opt: Some(vec!["no-new-privileges".to_owned(), SECCOMP_OPTION.clone()]),
            ulimits: Some(vec![
                ulimit("nofile", 1024),
                ulimit("core", 0),
                // A sparse file may not claim more than a file system has.
                ulimit("fsize", i64_of(workspace.max(tmp).max(shm))),
                ulimit("msgqueue", 0),
                ulimit("memlock", 64 << 10),
                // Never nproc: it counts across containers of one user; the pids limit does its work.
            ]),
            // `none` would break multiprocessing's semaphores.
            ipc_mode: Some("private".to_owned()),
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
            // Under the host's memory pressure sandboxes go first; user code raises itself to 1000, so that the
            // runner outlives it and can tell.
            oom_score_adj: Some(500),
            // Nothing on the host's disk; attaching works all the same.
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            // True would race our inspect and remove.
            auto_remove: Some(false),
            // Under an init, user code could kill the runner, which would not be PID 1.
            init: Some(false),
            runtime: self.runtime.clone(),
            masked_paths: Some(MASKED_PATHS.map(str::to_owned).to_vec()),
            // These stay at the engine's default: an empty list would remove them.
            readonly_paths: None,
            ..Default::default()
        }
    }

    /// The file systems count as memory: a request for less memory gets less of each, in proportion to what the runner leaves,
    /// so that filling them is an error in user code and not an out-of-memory kill.
    fn scaled(&self, size: u64, spec: &ContainerSpec) -> u64 {
        const LEAST: u64 = 1 << 20;
        const PAGE: u64 = 4096;
        let left = |memory: u64| u128::from(memory.saturating_sub(MIN_MEMORY));
        let (full, given) = (left(self.memory).max(1), left(spec.memory.bytes()));
        let scaled = u64::try_from(u128::from(size) * given.min(full) / full).unwrap_or(size);
        (scaled / PAGE * PAGE).max(LEAST)
    }
}

fn ulimit(name: &str, value: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.to_owned()), soft: Some(value), hard: Some(value) }
}

/// Docker's API has signed sizes; no machine has more than an `i64` of bytes.
fn i64_of(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::Duration};

    use protocol::frame::Caps;

    use super::*;
    use crate::{driver::ContainerName, request::Bounds};

    fn create(mebibytes: i64) -> ContainerCreateBody {
        let hardening = Hardening {
            image: "runner:1".to_owned(),
            runtime: None,
            milli_cpus: NonZeroU32::new(1500).unwrap(),
            pids: NonZeroU32::new(128).unwrap(),
            memory: 512 << 20,
            workspace_size: 64 << 20,
            tmp_size: 64 << 20,
            shm_size: 32 << 20,
            instance: "instance".to_owned(),
            generation: "generation".to_owned(),
        };
        let bounds = Bounds {
            default_timeout: Duration::from_secs(1),
            max_timeout: Duration::from_secs(1),
            default_memory: 512 << 20,
            max_memory: 2 << 30,
        };
        hardening.container(&ContainerSpec {
            caps: Caps { result: 8 << 20, figures: 16 << 20 },
            name: ContainerName("name".to_owned()),
            user: 20_001,
            memory: bounds.memory_mib(mebibytes).unwrap(),
            lifetime: Duration::ZERO,
        })
    }

    #[test]
    fn every_isolation_setting_is_in_the_create_request() {
        insta::with_settings!({ sort_maps => true }, {
            insta::assert_json_snapshot!(create(512), {
                ".Labels[\"code-sandbox.deadline\"]" => "[unix time]",
                ".HostConfig.SecurityOpt[1]" => "[the profile]",
            });
        });
    }

    #[test]
    fn the_seccomp_profile_goes_inline_and_refuses_what_it_does_not_name() {
        let option = create(512).host_config.unwrap().security_opt.unwrap().remove(1);
        let profile: Value = serde_json::from_str(option.strip_prefix("seccomp=").unwrap()).unwrap();
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
        assert_eq!(profile["syscalls"].as_array().unwrap().len(), rules().len());
        assert!(!option.contains("comment") && option.len() < 8 << 10);
    }

    fn rules() -> Vec<Value> {
        let profile: Value = serde_json::from_str(SECCOMP_PROFILE).unwrap();
        profile["syscalls"].as_array().unwrap().clone()
    }

    #[test]
    fn every_group_of_system_calls_has_its_reason_and_no_call_is_allowed_twice() {
        let mut allowed = HashSet::new();
        for rule in rules() {
            let reason = rule["comment"].as_str().unwrap_or_default();
            assert!(reason.len() > 10, "{} without a reason", rule["names"]);
            for name in rule["names"].as_array().unwrap() {
                let call = format!("{name} {}", rule["args"]);
                assert!(
                    rule["action"] != "SCMP_ACT_ALLOW" || allowed.insert(call.clone()),
                    "{call} is in two groups"
                );
            }
        }
    }

    #[test]
    fn file_systems_shrink_with_a_smaller_memory_and_never_grow() {
        let sizes = |mebibytes| {
            let host = create(mebibytes).host_config.unwrap();
            let size = |path: &str| {
                let options = &host.tmpfs.as_ref().unwrap()[path];
                options
                    .split(',')
                    .find_map(|option| option.strip_prefix("size="))
                    .unwrap()
                    .parse::<i64>()
                    .unwrap()
            };
            [size("/workspace"), size("/tmp"), host.shm_size.unwrap()].map(|size| size >> 20)
        };
        assert_eq!(sizes(32), [1, 1, 1]);
        assert_eq!(sizes(272), [32, 32, 16]);
        assert_eq!(sizes(512), [64, 64, 32]);
        assert_eq!(sizes(2048), [64, 64, 32]);
    }
}
