"""What the child tells the parent: an append-only log in shared memory.

The memory is anonymous and mapped before the fork, so there is no descriptor that user code could close, find or write to
by trying numbers. It is still user code's memory: the parent believes nothing in it that it has not checked, and takes
limits, signals and exit codes from the kernel instead.

    [u64 committed bytes][u64 progress] then records [u32 kind][u32 length][payload]

    ENDED    JSON {"status", "exit_code", "error", "execution_time"}: user code is over; the first record
    MEMBER   `"name":value`, UTF-8 JSON: one member of the result
    OMITTED  JSON {"name", "reason"}
    DISPLAY  JSON: the bundle of the last line's value; at most one
    FIGURE   a PNG

A record counts once the committed length covers it, so a child killed in the middle of one loses that one alone.
"""

import mmap
import os
from _signal import SIGUSR1
from _struct import Struct

from plain_json import loads

ENDED, MEMBER, OMITTED, DISPLAY, FIGURE = 1, 2, 3, 4, 5
DONE, LEFT = 1, 2

_LENGTHS = Struct("<QQ")
_RECORD = Struct("<II")

# Finished has room for 1 MiB: this many entries of a name and a reason this long fit even if every character is escaped.
MAX_OMITTED = 200
MAX_TEXT = 250
MAX_FIGURES = 64
MAX_ENDED = 16 * 1024


class Contents:
    def __init__(self, result, displays, figures, omitted):
        self.result = result  # payload of Result
        self.displays, self.figures = displays, figures  # places of payloads
        self.omitted = omitted  # entries for Finished


class Report:
    def __init__(self, result_limit, figures_limit):
        # A member of the result is at least `"":1`, four bytes and a comma, and costs one record header. Pages are
        # only taken when written to.
        self.size = 3 * result_limit + figures_limit + 2 * 1024 * 1024
        self.memory = mmap.mmap(-1, self.size)
        self.result_limit = result_limit
        self.figures_limit = figures_limit  # bytes of all figures and of the display
        self.parent = os.getpid()

    # ---- the child's side

    def write_as_child(self):
        """Called once in the forked child: only this process writes, not what user code forks from it."""
        self.writer = os.getpid()
        self.end, self.progress = _LENGTHS.size, 0
        # Bound now: user code may replace what these names stand for.
        self._getpid, self._exit, self._kill, self._notice = os.getpid, os._exit, os.kill, int(SIGUSR1)

    def append(self, kind, payload):
        """Add one record; False if there is no room."""
        if self._getpid() != self.writer:
            self._exit(0)
        start, after = self.end + _RECORD.size, self.end + _RECORD.size + len(payload)
        if after > self.size:
            return False
        _RECORD.pack_into(self.memory, self.end, kind, len(payload))
        self.memory[start:after] = payload
        self.end = after
        _LENGTHS.pack_into(self.memory, 0, after, self.progress)
        return True

    def mark(self, progress):
        """DONE: every name is written. LEFT: exit handlers and finalizers have run, nothing but the exit is left."""
        self.progress = progress
        _LENGTHS.pack_into(self.memory, 0, self.end, progress)

    def notify(self):
        """Wake the parent, to look at the report. The signal says nothing by itself."""
        try:
            self._kill(self.parent, self._notice)
        except OSError:
            pass

    # ---- the parent's side

    def progress_made(self):
        """0, DONE or LEFT; what is neither is no progress."""
        progress = _LENGTHS.unpack_from(self.memory)[1]
        return progress if progress in (DONE, LEFT) else 0

    def ended(self):
        """The ENDED record as a checked dict, None while there is none (or what is there is not one)."""
        for kind, start, end in self._records():
            if kind != ENDED or end - start > MAX_ENDED:
                return None
            ended = _checked(self.memory[start:end], {
                "status": lambda v: v in ("ok", "error"),
                "exit_code": lambda v: type(v) is int and 0 <= v <= 255,
                "error": lambda v: v is None or type(v) is str,
                "execution_time": lambda v: type(v) is float and 0 <= v < 1e9,
            })
            return ended if ended and (ended["status"] == "ok") == (ended["exit_code"] == 0) else None
        return None

    def contents(self):
        """What the child has reported, as Contents. None if the log is not one.

        The members are put together unparsed. Parsing would cost this process, which has to survive, many times their
        size in memory; the control plane checks the JSON it gets from us anyway. Only the limit is enforced here.
        """
        members, omitted, room = [], [], self.result_limit - 2
        displays, figures, drawing_room = [], [], self.figures_limit
        for kind, start, end in self._records():
            if kind == MEMBER:
                room -= end - start + 1
                if room < -1 or end - start < len('"":1'):
                    return None
                members.append(self.memory[start:end])
            elif kind == OMITTED:
                entry = _checked(self.memory[start:min(end, start + MAX_ENDED)], {
                    "name": lambda v: type(v) is str and len(v) <= MAX_TEXT,
                    "reason": lambda v: type(v) is str and len(v) <= MAX_TEXT,
                })
                if entry is None or len(omitted) >= MAX_OMITTED + 1:
                    return None
                omitted.append(entry)
            elif kind in (DISPLAY, FIGURE):
                drawing_room -= end - start
                (figures if kind == FIGURE else displays).append((start, end))
                if drawing_room < 0 or len(displays) > 1 or len(figures) > MAX_FIGURES:
                    return None
            elif kind != ENDED or start != _LENGTHS.size + _RECORD.size:
                return None  # no such record; or a second end
        return Contents(b"{" + b",".join(members) + b"}", displays, figures, omitted)

    def view(self, place):
        """The bytes at one of the places that `contents` names, not copied."""
        return memoryview(self.memory)[slice(*place)]

    def _records(self):
        position, committed = _LENGTHS.size, _LENGTHS.unpack_from(self.memory)[0]
        committed = min(committed, self.size)
        while position + _RECORD.size <= committed:
            kind, length = _RECORD.unpack_from(self.memory, position)
            start = position + _RECORD.size
            position = start + length
            if position <= committed:
                yield kind, start, position


def _checked(payload, fields):
    """The JSON object with exactly these fields, each passing its check; else None."""
    try:
        value = loads(payload)
        if type(value) is dict and all(check(value[name]) for name, check in fields.items()):
            return {name: value[name] for name in fields}
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return None
