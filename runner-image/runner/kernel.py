"""What the runner asks of the kernel: process attributes, and the counters of the memory cgroup."""

import ctypes
import os
import resource
import signal

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36

OOM_SCORE = "/proc/self/oom_score_adj"
MEMORY_STATISTICS = ("/sys/fs/cgroup/memory.stat", "/sys/fs/cgroup/memory/memory.stat")
OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
MEMORY_PEAKS = ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes")

_prctl = ctypes.CDLL(None, use_errno=True).prctl


def prctl(option, value):
    if _prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value})")


def become_init():
    """Before anything untrusted exists.

    Not dumpable: otherwise user code, which has our uid, opens /proc/1/fd/1 and writes frames of its own.
    Subreaper: outside a container (tests) orphans must come to us as they come to PID 1.
    SIGINT at its default: the kernel drops it for PID 1, while CPython's handler would let the child interrupt us.
    """
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # The child raises itself to 1000 but may lower itself again, down to 0: nothing it does may make us the better victim.
    _set_oom_score("0")


def become_ordinary(parent):
    """In the child, after its inherited descriptors are closed: an ordinary, killable process that dies with `parent`."""
    prctl(PR_SET_DUMPABLE, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    _set_oom_score("1000")


def _set_oom_score(value):
    try:
        with open(OOM_SCORE, "w") as score:
            score.write(value)
    except OSError:
        # Not fatal: the kernel may then pick the runner, and the control plane has to find out from the engine why it died.
        pass


def oom_kills():
    """How many processes of this container the kernel has killed for memory, or None if it does not say."""
    for path in OOM_COUNTERS:
        try:
            with open(path) as counters:
                for line in counters:
                    name, _, value = line.partition(" ")
                    if name == "oom_kill":
                        return int(value)
        except (OSError, ValueError):
            continue
    return None


class MemoryPressure:
    """Tells when a container spends its time reading its programs' pages again and again, because its memory limit leaves
    no room for them. The kernel keeps that up for minutes before it kills; the code gets nothing done meanwhile.

    Measured at 256 MiB (Engine 20.10, fuse-overlayfs): some 30,000 pages read again in a quarter of a second, next to no page
    cache. Importing pandas and scikit-learn into 128 MiB, at the limit all the time: below 10,000, with 18 MiB of cache.
    """

    INTERVAL = 0.25  # seconds between two looks
    REFAULTS = 2_000  # pages read again between two looks
    CACHE = 4 << 20  # bytes of files in memory
    PATIENCE = 4  # looks in a row

    def __init__(self):
        # Outside a container the statistics are the whole machine's.
        self.statistics = MEMORY_STATISTICS if os.getpid() == 1 else ()
        self.refaults = None
        self.looks = 0

    def is_hopeless(self):
        """Call it every INTERVAL."""
        found = self._read()
        if found is None:
            return False
        cache, refaults = found
        squeezed = self.refaults is not None and refaults - self.refaults > self.REFAULTS and cache < self.CACHE
        self.refaults = refaults
        self.looks = self.looks + 1 if squeezed else 0
        return self.looks >= self.PATIENCE

    def _read(self):
        """(bytes of cached files, pages read again so far), or None if the kernel does not say."""
        for path in self.statistics:
            try:
                with open(path) as statistics:
                    values = dict(line.split() for line in statistics)
                # "cache" is version 1's name, "file" version 2's; both count shared memory in.
                cache = int(values["cache"] if "cache" in values else values["file"]) - int(values["shmem"])
                return cache, int(values["workingset_refault_file"])
            except (OSError, ValueError, KeyError):
                continue
        return None


def peak_memory():
    """Bytes. The container's peak; outside a container, where the cgroup is not ours, the largest reaped process."""
    if os.getpid() == 1:
        for path in MEMORY_PEAKS:
            try:
                with open(path) as peak:
                    return int(peak.read())
            except (OSError, ValueError):
                continue
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def cpu_time_of_reaped():
    """Seconds of user and system time of every process reaped so far, and of those they reaped."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
