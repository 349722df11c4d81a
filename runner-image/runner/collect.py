"""From the names the code left to records in the report: each on its own, in bounded time, none taking others with it."""

from _signal import ITIMER_PROF, ITIMER_REAL, SIGALRM, SIGPROF, setitimer, signal
from marshal import dumps
from sys import setrecursionlimit
from time import monotonic

import encode_builtins  # noqa: F401  fills the encoder's tables
import encode_libraries  # noqa: F401
from encode import NotEncodable, TooLarge, json_text
from error_line import clip_utf8, error_line
from plain_json import loads
from report import MAX_OMITTED, MAX_TEXT, MEMBER, OMITTED

MARGIN = 0.2  # seconds kept for the way back
# Seconds of processor time for one value: on a busy machine an honest one needs more on the clock.
WORK_LIMIT = 2.4
# After the first alarm a value has this long to let go before the rest is done without it.
SECOND_ALARM = 0.25


# A version of marshal's format in which the same value is always the same bytes.
WITHOUT_REFERENCES = 2


class OutOfTime(BaseException):
    """Raised by the alarm inside whatever the value's own code is doing."""


class Collector:
    def __init__(self, report, names, input_json, answer_by, then):
        """`names`: [(name, value)]. `then`: called when all is written, and never returns."""
        self.report = report
        self.pending = names[::-1]
        self.answer_by = answer_by - MARGIN
        self.then = then
        self.limit = report.result_limit
        self.room = self.limit - 2
        self.omitted = 0
        self.armed = self.interrupted = False
        self.inputs = loads(input_json)
        self.inputs["input_data"] = dict(self.inputs)
        # Ids alone: a reference of ours would keep finalizers from running.
        self.variables = {name: id(value) for name, value in names if name in self.inputs}

    def run(self):
        for number in (SIGALRM, SIGPROF):
            signal(number, self.on_alarm)
        while self.pending:
            self.current, value = self.pending.pop()
            try:
                self.take(value)
            except TooLarge:
                what = "what is left of the" if self.room < self.limit - 2 else "the"
                self.omit(f"larger than {what} result limit of {_size(self.limit)}")
            except NotEncodable as reason:
                self.omit(str(reason))
            except OutOfTime:
                self.omit("took too long to encode")
            except BaseException as error:
                self.armed = False
                self.omit(error_line(error))
            value = None  # the last reference must not be ours: it may have a finalizer
        if self.omitted > MAX_OMITTED:
            self.current = "*"
            self.append_omitted(f"{self.omitted - MAX_OMITTED} more names were left out")

    def take(self, value):
        # Half of what is left for each: however many values are hostile, the next one always gets a chance.
        self.interrupted, self.armed = False, True
        setitimer(ITIMER_REAL, max(0.02, (self.answer_by - monotonic()) / 2))
        setitimer(ITIMER_PROF, WORK_LIMIT)
        try:
            key = json_text(self.current, self.room)
            member = self.member(key, value)
        finally:
            self.armed = False
            setitimer(ITIMER_PROF, 0)
            setitimer(ITIMER_REAL, 0)
        if member is None:
            return
        if len(member) > self.room or not self.report.append(MEMBER, member):
            raise TooLarge
        self.room -= len(member) + 1

    def member(self, key, value):
        """`"name":value` as bytes, or None for an input that is as it came."""
        room = self.room - len(key) - 1
        if self.current not in self.inputs:
            return key + b":" + json_text(value, room)
        original = self.inputs[self.current]
        if type(original) is not type(value):
            return key + b":" + json_text(value, room)
        if _same_plain(original, self.apart_from_variables(value)):
            return None
        # An unchanged input is no result even where it would not fit, so it may be as long as it was.
        before = json_text(original)
        now = json_text(self.apart_from_variables(value), max(room, len(before)))
        if now == before:
            return None
        return key + b":" + (json_text(value, room) if self.current == "input_data" else now)

    def apart_from_variables(self, value):
        """`input_data` as if the inputs that it shares with variables were as they came: those tell of themselves."""
        if self.current != "input_data":
            return value
        original = self.inputs["input_data"]
        return {key: original[key] if key in original and self.variables.get(key) == id(item) else item
                for key, item in value.items()}

    def on_alarm(self, number, frame):
        if not self.armed:
            return
        if not self.interrupted:
            self.interrupted = True
            setitimer(ITIMER_REAL, SECOND_ALARM)
            raise OutOfTime
        # The value's code swallowed the first alarm and would swallow every other. So it is not returned to: the rest is
        # done from here, on top of its stack, and the process ends.
        self.armed = False
        setrecursionlimit(10_000)
        self.omit("took too long to encode")
        self.run()
        self.then()

    def omit(self, reason):
        self.omitted += 1
        if self.omitted <= MAX_OMITTED:
            self.append_omitted(reason)

    def append_omitted(self, reason):
        name = clip_utf8(self.current, MAX_TEXT)
        self.report.append(OMITTED, json_text({"name": name, "reason": clip_utf8(reason, MAX_TEXT)}))


def _same_plain(one, other):
    """Whether both are the same, exact types all the way down; False too if only a closer look can tell. Runs no code of theirs."""
    try:
        return dumps(one, WITHOUT_REFERENCES) == dumps(other, WITHOUT_REFERENCES)
    except ValueError:
        return False


def _size(limit):
    return f"{limit // 2**20} MiB" if limit % 2**20 == 0 else f"{limit} bytes"
