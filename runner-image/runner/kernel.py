"""What the runner asks of the kernel: process attributes, and the counters of the container's cgroups."""

import os
from _ctypes import call_cdeclfunction, dlopen, dlsym
from _signal import SIG_DFL, SIGINT, SIGKILL, signal

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36

OOM_SCORE = "/proc/self/oom_score_adj"
# Version 1 of the cgroups, then version 2.
MEMORY_STATISTICS = ("/sys/fs/cgroup/memory/memory.stat", "/sys/fs/cgroup/memory.stat")
OOM_COUNTERS = ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events")
MEMORY_PEAKS = ("/sys/fs/cgroup/memory/memory.max_usage_in_bytes", "/sys/fs/cgroup/memory.peak")
TASK_COUNTS = ("/sys/fs/cgroup/pids/pids.current", "/sys/fs/cgroup/pids.current")
CPU_USAGES = ("/sys/fs/cgroup/cpuacct/cpuacct.usage", "/sys/fs/cgroup/cpu.stat")

# Without the ctypes package around it, which costs more to import than all of the runner.
_prctl = dlsym(dlopen(None, 0), "prctl")


def prctl(option, value):
    if call_cdeclfunction(_prctl, (option, value, 0, 0, 0)):
        raise OSError(f"prctl({option}, {value}) failed")


def become_init():
    """Before anything untrusted exists.

    Not dumpable: otherwise user code, which has our uid, opens /proc/1/fd/1 and writes frames of its own.
    Subreaper: outside a container (tests) orphans must come to us as they come to PID 1.
    SIGINT at its default: the kernel drops it for PID 1, while CPython's handler would let the child interrupt us.
    """
    # The child raises itself to 1000 but may lower itself again, down to 0: nothing it does may make us the better victim.
    # Before the next line: what is not dumpable belongs to root, and this file with it.
    _set_oom_score("0")
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal(SIGINT, SIG_DFL)


def become_ordinary(parent):
    """In the child: an ordinary, killable process that dies with `parent`."""
    prctl(PR_SET_DUMPABLE, 1)
    prctl(PR_SET_PDEATHSIG, int(SIGKILL))
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


class Counters:
    """The counters of the container's cgroups. Their files are opened once: some are read while an answer waits."""

    def __init__(self):
        # Outside a container they are the whole machine's, or somebody else's.
        inside = os.getpid() == 1
        self._oom = _open(OOM_COUNTERS)
        self._statistics = _open(MEMORY_STATISTICS if inside else ())
        self._peak = _open(MEMORY_PEAKS if inside else ())
        self._cpu = _open(CPU_USAGES if inside else ())
        self._tasks = _open(TASK_COUNTS if inside else ())

    def oom_kills(self):
        """How many processes of this container the kernel has killed for memory, or None if it does not say."""
        return _number(_fields(self._oom).get("oom_kill"))

    def cpu_time(self, child):
        """Seconds of processor time used so far by the whole container; outside one, by the child and what was reaped."""
        text = _read(self._cpu)
        if text and text.strip().isdigit():
            return int(text) / 1e9
        used = _number(_fields(self._cpu).get("usage_usec"))
        if used is not None:
            return used / 1e6
        reaped = os.times()
        return reaped.children_user + reaped.children_system + _ticks_of(child) / os.sysconf("SC_CLK_TCK")

    def peak_memory(self, child):
        """Bytes. The container's peak; outside one, the child's while it is there."""
        peak = _number((_read(self._peak) or "").strip())
        return _peak_of(child) if peak is None else peak

    def tasks(self):
        """Threads of all processes of this container, or None if the kernel does not say."""
        return _number((_read(self._tasks) or "").strip())

    def cache_and_refaults(self):
        """(bytes of cached files, pages read again so far), or None if the kernel does not say."""
        fields = _fields(self._statistics)
        try:
            # "cache" is version 1's name, "file" version 2's; both count shared memory in.
            cache = int(fields["cache"] if "cache" in fields else fields["file"]) - int(fields["shmem"])
            return cache, int(fields["workingset_refault_file"])
        except (KeyError, ValueError):
            return None


def _open(paths):
    for path in paths:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
    return None


def _read(descriptor):
    try:
        return os.pread(descriptor, 16_384, 0).decode() if descriptor is not None else None
    except (OSError, ValueError):
        return None


def _fields(descriptor):
    """A file of lines of a name and a value as a dict."""
    return dict(line.split(" ", 1) for line in (_read(descriptor) or "").splitlines() if " " in line)


def _ticks_of(pid):
    """Clock ticks that a process and the children it has reaped have used; 0 once it is reaped itself."""
    try:
        with open(f"/proc/{pid}/stat") as statistics:
            return sum(map(int, statistics.read().rpartition(")")[2].split()[11:15]))
    except OSError:
        return 0


def _peak_of(pid):
    try:
        with open(f"/proc/{pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0


def _number(text):
    try:
        return int(text)
    except (TypeError, ValueError):
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

    def __init__(self, counters):
        self.counters = counters
        self.refaults = None
        self.looks = 0

    def is_hopeless(self):
        """Call it every INTERVAL."""
        found = self.counters.cache_and_refaults()
        if found is None:
            return False
        cache, refaults = found
        squeezed = self.refaults is not None and refaults - self.refaults > self.REFAULTS and cache < self.CACHE
        self.refaults = refaults
        self.looks = self.looks + 1 if squeezed else 0
        return self.looks >= self.PATIENCE
