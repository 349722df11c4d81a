"""The status of an execution, from what the parent knows: a pure function, the whole policy in one place."""

import _signal
import os

# Why the parent ended the run. The first four are statuses, and stand above anything the child reports.
TIMEOUT, OUTPUT_LIMIT, MEMORY_LIMIT, CANCELLED = "timeout", "output_limit", "memory_limit", "cancelled"
# The code was over, but encoding its names, or its exit handlers, took too long.
COLLECTING, LEAVING = "collecting", "leaving"
# It was over, and all that it left behind as well: only its exit remains, which takes many milliseconds with large libraries.
LEFT = "left"


class Verdict:
    def __init__(self, status, exit_code=None, signal_name=None, error=None):
        self.status, self.exit_code, self.signal, self.error = status, exit_code, signal_name, error


def judge(cause, wait_status, ended, done, oom_killed):
    """`cause`: why we ended the run, or None. `wait_status`: of the main child. `ended`: its checked report of how the code
    ended, or None. `done`: it also reported everything it had to. `oom_killed`: the kernel killed something for memory."""
    if cause in (COLLECTING, LEAVING, LEFT):
        return Verdict(ended["status"], ended["exit_code"], None, _error(ended))
    code = os.waitstatus_to_exitcode(wait_status)
    exit_code, signal_name = (code, None) if code >= 0 else (None, _signal_name(-code))
    if cause is not None:
        return Verdict(cause, exit_code, signal_name)
    if code == -_signal.SIGKILL and oom_killed:
        return Verdict(MEMORY_LIMIT, exit_code, signal_name)
    if code < 0 or ended is None or not done or (ended["status"] == "ok" and code != 0):
        return Verdict("crashed", exit_code, signal_name)
    return Verdict(ended["status"], exit_code, None, _error(ended))


def _error(ended):
    return ended["error"] if ended["status"] == "error" else None


def _signal_name(number):
    # Where a number has two names, the first is the one that is known: SIGABRT, SIGCHLD, SIGIO.
    names = sorted(name for name in vars(_signal) if name.startswith("SIG") and not name.startswith("SIG_"))
    # Real-time signals between the two that have names have none.
    return next((name for name in names if getattr(_signal, name) == number), f"SIG{number}")
