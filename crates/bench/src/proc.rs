//! What the kernel says of processes.

use std::{fs, time::Duration};

use crate::Result;

/// Ticks of `/proc/PID/stat` a second: so on every Linux.
const TICKS: f64 = 100.0;

/// A size in `/proc/PID/status`, such as `VmRSS`, bytes.
pub(crate) fn memory(pid: u32, field: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(kilobytes(&status, field).ok_or("no such field in /proc/PID/status")? * 1024)
}

/// Makes the highest memory so far (`VmHWM`) that of now.
pub(crate) fn forget_peak(pid: u32) -> Result<()> {
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// Memory that would be free if the process ended: no other process has it too. Bytes.
pub(crate) fn private_memory(pid: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let private: Option<u64> =
        ["Private_Clean", "Private_Dirty"].iter().map(|field| kilobytes(&rollup, field)).sum();
    Ok(private.ok_or("no private memory in smaps_rollup")? * 1024)
}

fn kilobytes(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.split(':').next() == Some(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Processor time of all its threads so far.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks(&stat).ok_or("no times in /proc/PID/stat")?;
    Ok(Duration::from_secs_f64(ticks as f64 / TICKS))
}

/// User and system time: the 14th and 15th field. The name, the second, may hold spaces and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let mut after_name = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(after_name.next()?.parse::<u64>().ok()? + after_name.next()?.parse::<u64>().ok()?)
}

/// Open descriptors of a process.
pub(crate) fn descriptors(pid: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Mounts of this machine, as this process sees it, that have to do with a folder; all of them if it is empty.
pub(crate) fn mounts(folder: &str) -> Result<usize> {
    Ok(fs::read_to_string("/proc/self/mounts")?.lines().filter(|line| line.contains(folder)).count())
}

/// containerd's shims on this machine, one a container, that have to do with a folder; all of them if it is empty.
pub(crate) fn shims(folder: &str) -> Result<usize> {
    let read = |entry: &fs::DirEntry, file| fs::read_to_string(entry.path().join(file)).unwrap_or_default();
    let shims = fs::read_dir("/proc")?.flatten().filter(|entry| is_shim(&read(entry, "comm")));
    Ok(shims.filter(|entry| read(entry, "cmdline").contains(folder)).count())
}

/// The kernel cuts names to 15 bytes.
fn is_shim(comm: &str) -> bool {
    comm.trim_end() == "containerd-shim"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let rollup = "Private_Clean:          12 kB\nPrivate_Dirty:         340 kB\nPrivate_Dirty_X: 1 kB\n";
        assert_eq!(kilobytes(rollup, "Private_Dirty"), Some(340));
        assert_eq!(kilobytes(rollup, "Private"), None);
    }

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 25 17 0 0 20 0 1 0 5 1 1 1";
        assert_eq!(ticks(stat), Some(42));
    }

    #[test]
    fn this_process_can_be_looked_at() {
        let own = std::process::id();
        assert!(memory(own, "VmRSS").unwrap() > 0);
        assert!(descriptors(own).unwrap() > 0);
        assert!(cpu_time(own).is_ok());
        assert!(mounts("").unwrap() > 0);
    }
}
