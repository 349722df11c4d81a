"""Waiting, as the interpreter does, for the threads a script leaves behind; unlike the interpreter, not for ever."""

import sys
from _thread import allocate_lock, start_new_thread

LIMIT = 1.0  # seconds


def wait():
    """Return when all non-daemon threads have ended, or after LIMIT."""
    threading = sys.modules.get("threading")
    try:
        if threading is None or threading.active_count() == 1:
            return
        # _shutdown also tells the idle workers of executors to end. It may block for ever, so it does that elsewhere.
        ended = allocate_lock()
        ended.acquire()
        start_new_thread(_shutdown, (threading._shutdown, ended))
        ended.acquire(timeout=LIMIT)
    except BaseException:
        # No thread can be started (a thread bomb), or user code replaced what this needs: nothing is waited for.
        pass


def _shutdown(shutdown, ended):
    try:
        shutdown()
    except BaseException:
        pass
    finally:
        ended.release()
