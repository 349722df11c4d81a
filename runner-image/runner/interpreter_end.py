"""What Python does when a script has ended, as far as it can be seen: exit handlers, files that were left open, finalizers."""

import atexit
import builtins
import gc
import sys
# The code may have emptied the module by now.
from builtins import BaseException
from io import BufferedRandom, BufferedWriter, TextIOWrapper
from types import FunctionType

from regain import theirs

_run_exit_handlers = atexit._run_exitfuncs
_FILES = TextIOWrapper, BufferedWriter, BufferedRandom


def end(names):
    """`names`: a dict with all that is left of the script, which is emptied. Never fails."""
    with theirs:
        for step in (_run_exit_handlers, flush_files, lambda: forget(names), flush_files, flush_c):
            try:
                step()
            except BaseException:
                pass


def flush_files():
    """The collector would close the files below before their text has got there. What existed before the fork is frozen: the
    objects are the script's."""
    files = [value for value in gc.get_objects() if issubclass(type(value), _FILES)]
    # A text's own buffer first: it empties into one of the others.
    for kind in _FILES:
        for file in files:
            if issubclass(type(file), kind):
                try:
                    file.flush()
                except BaseException:
                    pass


def flush_c():
    """What libraries have printed by C's own means, as exit() does. Where nobody has imported `ctypes` there is no way to it."""
    ctypes = sys.modules.get("ctypes")
    if ctypes is not None:
        ctypes.pythonapi.fflush(None)


# Collected, not cleared: finalizers still find their module's names. What a finalizer warns of has no line, as ever at the end.
# multiprocessing knows the script by a second name.
forget = FunctionType((lambda names: (names.clear(), sys.modules.update(__main__=None, __mp_main__=None), collect())).__code__
                      .replace(co_filename="<sys>", co_firstlineno=0), {"__builtins__": builtins, "__name__": "sys", "sys": sys, "collect": gc.collect})
