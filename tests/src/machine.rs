//! What a test asks of the machine that it runs on.

use std::{
    fmt::Display,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

/// Where the project's files are.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A program that scripts/e2e.sh installs for the tests.
pub fn tool(name: &str) -> PathBuf {
    let path = repository().join("target/tools/venv/bin").join(name);
    assert!(path.exists(), "{} is missing: scripts/e2e.sh installs it", path.display());
    path
}

/// Free a moment ago; nothing else here takes ports by chance.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// File systems that are mounted, the containers' among them where the engine runs here.
pub fn mounts() -> usize {
    fs::read_to_string("/proc/self/mounts").unwrap().lines().count()
}

/// Processes whose name begins so.
pub fn processes(name: &str) -> usize {
    let names =
        fs::read_dir("/proc").unwrap().flatten().map(|entry| fs::read_to_string(entry.path().join("comm")));
    names.flatten().filter(|own| own.starts_with(name)).count()
}

/// Open file descriptors of a process.
pub(crate) fn descriptors(pid: impl Display) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// One of the figures of a process's memory, in bytes.
pub(crate) fn memory(pid: impl Display, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
