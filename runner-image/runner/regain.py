"""Getting a working interpreter back after user code has had it.

User code may have replaced builtins, installed trace functions, timers and signal handlers, or set the recursion limit to
ten. Everything this module needs is bound when it is imported, which is before any of that.
"""

import builtins
import gc
import sys
from _signal import (
    ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, SIG_BLOCK, SIG_DFL, SIG_IGN, SIG_SETMASK, SIG_UNBLOCK, SIGALRM, SIGCHLD, SIGINT, SIGPROF,
    SIGUSR1, default_int_handler, getsignal, pthread_sigmask, set_wakeup_fd, setitimer, signal, valid_signals,
)
from sys import get_int_max_str_digits, getrecursionlimit, set_int_max_str_digits, setprofile, setrecursionlimit, settrace
# A value's class may have emptied the module.
from builtins import BaseException, RecursionError, callable, int, max

_builtins = vars(builtins)
_original_builtins = dict(_builtins)
_update_builtins, _copy_builtins = _builtins.update, _builtins.copy
_signals = [int(number) for number in valid_signals()]
_gc_callbacks = gc.callbacks
# (callable, its arguments) that undo what regain() has done, the last first.
_undo = []
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
    _undo.append((pthread_sigmask, (SIG_SETMASK, pthread_sigmask(SIG_BLOCK, _signals))))
    for step in _STEPS:
        # Each on its own: one that fails must not stop the next.
        try:
            step()
        except BaseException:
            pass


def mend():
    """Between the values of a result, each of which may have run its class's code: what the next one needs of the interpreter."""
    pthread_sigmask(SIG_BLOCK, _signals)
    _update_builtins(_original_builtins)
    settrace(None)
    setprofile(None)
    set_int_max_str_digits(INT_DIGITS)
    try:
        setrecursionlimit(RECURSION_LIMIT)
    except RecursionError:
        pass  # on top of a value's own stack, under a higher limit
    _drop_signal_handlers()


class _Theirs:
    """`with theirs:` what of the code's runs when it has ended (hooks, threads, exit handlers, finalizers) finds what the code has made
    of its interpreter, but for timers and handlers of signals, which could interrupt ours."""

    def __enter__(self):
        give_back()

    def __exit__(self, *_):
        regain()


theirs = _Theirs()


def give_back():
    while _undo:
        undo, arguments = _undo.pop()
        try:
            undo(*arguments)
        except BaseException:
            pass


def _restore_builtins():
    # What it has deleted stays there: without it ours could not go on either.
    _undo.append((_update_builtins, (_copy_builtins(),)))
    _update_builtins(_original_builtins)


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


def _limit_recursion():
    # A lower one could keep ours from its end.
    _undo.append((setrecursionlimit, (max(getrecursionlimit(), RECURSION_LIMIT),)))
    setrecursionlimit(RECURSION_LIMIT)


def _limit_digits():
    _undo.append((set_int_max_str_digits, (get_int_max_str_digits(),)))
    set_int_max_str_digits(INT_DIGITS)


def _clear_gc_callbacks():
    _undo.append((_gc_callbacks.extend, (_gc_callbacks.copy(),)))
    _gc_callbacks.clear()


def _silence_warnings():
    warnings = sys.modules.get("warnings")
    if warnings is not None:
        # Under the filter "error" a deprecation inside a library would cost the user a result.
        caught = warnings.catch_warnings(action="ignore")
        caught.__enter__()
        _undo.append((caught.__exit__, (None, None, None)))


def _silence_logs():
    logging = sys.modules.get("logging")
    if logging is not None:
        # What drawing a figure once more has to say, the code has been told or did not ask for.
        _undo.append((logging.disable, (logging.root.manager.disable,)))
        logging.disable(sys.maxsize)


_STEPS = (
    _restore_builtins,
    _stop_timers,
    _drop_signal_handlers,
    _stop_monitoring,
    _limit_recursion,
    _limit_digits,
    _clear_gc_callbacks,
    _silence_warnings,
    _silence_logs,
)
