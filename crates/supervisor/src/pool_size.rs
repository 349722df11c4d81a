//! How many containers stand ready where no flag says it.

use std::fs;

/// A container with the default preloads has about so much memory of its own, bytes (docs/PERFORMANCE.md), and some room.
const A_CONTAINER: u64 = 192 << 20;
const FOR_A_PROCESSOR: u64 = 4;
/// The rest of the free memory is for what the code itself takes.
const SHARE: u64 = 4;

/// What suits the engine's machine with so many processors and bytes of memory; at least one.
pub(crate) fn suitable(processors: u32, memory: u64) -> usize {
    // Of this machine, which with a remote engine is another one: the smaller of the two is safe.
    let free = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text)).unwrap_or(memory);
    sized(processors, memory.min(free))
}

fn sized(processors: u32, free: u64) -> usize {
    let fitting = free / SHARE / A_CONTAINER;
    usize::try_from((u64::from(processors) * FOR_A_PROCESSOR).min(fitting).max(1)).unwrap_or(1)
}

/// Bytes that programs can still get, from `/proc/meminfo`.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_grows_with_the_processors_as_far_as_there_is_memory() {
        assert_eq!(sized(2, 22 << 30), 8);
        assert_eq!(sized(16, 256 << 30), 64);
        assert_eq!(sized(8, 4 << 30), 5);
        assert_eq!(sized(1, 256 << 20), 1);
    }

    #[test]
    fn free_memory_is_what_the_kernel_says_can_be_had() {
        assert_eq!(available("MemTotal:  2048 kB\nMemAvailable:    1024 kB\n"), Some(1 << 20));
        assert_eq!(available("MemTotal: 2048 kB\n"), None);
    }
}
