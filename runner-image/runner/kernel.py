"""What the runner asks of the kernel: process attributes, and the counters of the memory cgroup."""

import ctypes
import os
import resource
import signal

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36

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


def become_ordinary(parent):
    """In the child, after its inherited descriptors are closed: an ordinary, killable process that dies with `parent`."""
    prctl(PR_SET_DUMPABLE, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    try:
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("1000")
    except OSError:
        # Not fatal: without it the kernel may pick the runner, and the run is then a crash instead of memory_limit.
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
