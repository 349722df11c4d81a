"""Waiting, as the interpreter does, for the threads a script leaves behind; unlike the interpreter, not for ever."""

import sys
# The code may have emptied the module.
from builtins import BaseException, getattr, len, max, reversed
from _thread import allocate_lock, start_new_thread
from time import monotonic

LIMIT = 1.0  # seconds


def wait():
    """Return when all non-daemon threads have ended, or after LIMIT; how many have not."""
    threading = sys.modules.get("threading")
    try:
        if threading is None or threading.active_count() == 1:
            return 0
        give_up = monotonic() + LIMIT
        # Executors registered what tells their idle workers to end. It may block for ever, so it does that elsewhere.
        told = allocate_lock()
        told.acquire()
        start_new_thread(_tell_executors, (threading, told))
        told.acquire(timeout=LIMIT)
        _end_main_thread(threading)
        # Not threading._shutdown: away from the main thread, and after a fork, it waits for the main thread itself.
        # Those that are left may start others.
        while left := [thread for thread in threading.enumerate()
                       if not thread.daemon and thread is not threading.current_thread()]:
            if monotonic() >= give_up:
                return len(left)
            threading.Thread.join(left[0], max(0.0, give_up - monotonic()))
        return 0
    except BaseException:
        # No thread can be started (a thread bomb), or user code replaced what this needs: nothing more is waited for.
        return 0


def _end_main_thread(threading):
    """For those who wait for its end, as the interpreter does it: by the handle that threads have from Python 3.13 on."""
    handle = getattr(threading.main_thread(), "_handle", None)
    if handle is not None:
        handle._set_done()


def _tell_executors(threading, told):
    try:
        for callback in reversed(threading._threading_atexits):
            callback()
    except BaseException:
        pass
    finally:
        told.release()
