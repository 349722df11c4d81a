"""From what the code left to records in the report: each thing on its own, in bounded time, none taking others with it."""

from _signal import ITIMER_PROF, ITIMER_REAL, SIGALRM, SIGPROF, setitimer, signal
from sys import setrecursionlimit
from time import monotonic

# A value's class may have emptied the module before its failure is caught here.
from builtins import BaseException, max, str

from encode import NotEncodable, json_text
from error_line import clip_utf8, error_line
from regain import mend
from report import MAX_OMITTED, MAX_TEXT, OMITTED

MARGIN = 0.2  # seconds kept for the way back
# Seconds of processor time for one value: on a busy machine an honest one needs more on the clock.
WORK_LIMIT = 2.4
# After the first alarm a value has this long to let go before the rest is done without it.
SECOND_ALARM = 0.25
TOO_SLOW = "took too long to encode"


class OutOfTime(BaseException):
    """Raised by the alarm inside whatever the value's own code is doing."""


class Collector:
    """Does jobs one by one. A job is a name for `omitted` and a callable, which writes to the report or raises."""

    def __init__(self, report, answer_by, then):
        """`then`: called when all is written, and never returns."""
        self.report = report
        self.pending = []
        self.answer_by = answer_by - MARGIN
        self.then = then
        self.omitted = 0
        self.armed = self.interrupted = False

    def add_next(self, jobs):
        """[(name, callable)] to be done in this order, before all that was added earlier."""
        self.pending += jobs[::-1]

    def run(self):
        self.watch()
        while self.pending:
            self.do_next()
        if self.omitted > MAX_OMITTED:
            self.current = "*"
            self.append_omitted(f"{self.omitted - MAX_OMITTED} more names were left out")

    def watch(self):
        for number in (SIGALRM, SIGPROF):
            signal(number, self.on_alarm)

    def do_next(self):
        self.current, job = self.pending.pop()
        reason = None
        # Half of what is left for each: however many values are hostile, the next one always gets a chance.
        self.interrupted, self.armed = False, True
        setitimer(ITIMER_REAL, max(0.02, (self.answer_by - monotonic()) / 2))
        setitimer(ITIMER_PROF, WORK_LIMIT)
        try:
            try:
                job()
            except NotEncodable as why:
                reason = str(why)
            except BaseException as error:
                reason = TOO_SLOW if self.interrupted else error_line(error)
            # Within the time too: to describe an exception, and to let go of it and of the value, may run code of theirs.
            job = None
        except BaseException:
            reason = TOO_SLOW
        finally:
            self.armed = False
            setitimer(ITIMER_PROF, 0)
            setitimer(ITIMER_REAL, 0)
        mend()
        self.watch()
        if reason is not None:
            self.omit(reason)

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
        mend()
        setrecursionlimit(10_000)
        self.omit(TOO_SLOW)
        self.run()
        self.then()

    def omit(self, reason):
        self.omitted += 1
        if self.omitted <= MAX_OMITTED:
            self.append_omitted(reason)

    def append_omitted(self, reason):
        name = clip_utf8(self.current, MAX_TEXT)
        self.report.append(OMITTED, json_text({"name": name, "reason": clip_utf8(reason, MAX_TEXT)}))
