"""Getting a working interpreter back after user code has had it.

User code may have replaced builtins, installed trace functions, timers and signal handlers, or set the recursion limit to
ten. Everything this module needs is bound when it is imported, which is before any of that.
"""

import builtins
import gc
import sys
from _signal import (
    ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, SIG_BLOCK, SIG_DFL, SIG_IGN, SIG_UNBLOCK, SIGALRM, SIGCHLD, SIGINT, SIGPROF, SIGUSR1,
    default_int_handler, getsignal, pthread_sigmask, set_wakeup_fd, setitimer, signal, valid_signals,
)
from sys import set_int_max_str_digits, setrecursionlimit

_original_builtins = dict(vars(builtins))
_restore_builtins = vars(builtins).update
_signals = [int(number) for number in valid_signals()]
_clear_gc_callbacks = gc.callbacks.clear
_monitoring = getattr(sys, "monitoring", None)

RECURSION_LIMIT = 1000
INT_DIGITS = 4300


def reset_signals_of_runner():
    """In the fresh child: what Python gives a script, instead of what the runner needed."""
    set_wakeup_fd(-1)
    signal(SIGCHLD, SIG_DFL)
    signal(SIGUSR1, SIG_DFL)
    signal(SIGINT, default_int_handler)


def regain():
    """When the code has ended: undo what would break or interrupt ours. May be called again."""
    # In one call, so that nothing of the user's goes off between the steps.
    pthread_sigmask(SIG_BLOCK, _signals)
    for step in _STEPS:
        # Each on its own: one that fails must not stop the next.
        try:
            step()
        except BaseException:
            pass


def _stop_timers():
    for timer in (ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF):
        setitimer(timer, 0)


def _drop_signal_handlers():
    for number in _signals:
        if callable(getsignal(number)):
            # Ignoring SIGCHLD would make the kernel reap what multiprocessing's exit handler waits for.
            signal(number, SIG_DFL if number == SIGCHLD else SIG_IGN)
    # Those that the encoder's time limits need; the others may stay blocked for the little that is left.
    pthread_sigmask(SIG_UNBLOCK, [SIGALRM, SIGPROF])


def _stop_monitoring():
    if _monitoring is not None:
        for tool in range(6):
            if _monitoring.get_tool(tool) is not None:
                _monitoring.set_events(tool, 0)
                _monitoring.free_tool_id(tool)


def _silence_warnings():
    warnings = sys.modules.get("warnings")
    if warnings is not None:
        # Under the filter "error" a deprecation inside a library would cost the user a result.
        warnings.simplefilter("ignore")


_STEPS = (
    lambda: _restore_builtins(_original_builtins),
    _stop_timers,
    _drop_signal_handlers,
    _stop_monitoring,
    lambda: setrecursionlimit(RECURSION_LIMIT),
    lambda: set_int_max_str_digits(INT_DIGITS),
    _clear_gc_callbacks,
    _silence_warnings,
)
