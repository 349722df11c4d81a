"""The parent's side of one execution: fork, watch, limit, kill, drain, answer.

    RUNNING ---- child reports "ended" ----> COLLECTING ---- child reports "done" ----> LEAVING
       |  deadline: timeout                     |  deadline: 5 s, or the                |  deadline: 1 s for exit
       |                                        |  run's deadline + 1.5 s               |  handlers and finalizers
       +--------------------+-------------------+---------------------------------------+
                            v
      child exited | deadline | output limit | no memory left to work in | cancelled | control plane gone
                            v
      kill everything -> reap -> drain the pipes -> Result, Finished

No verdict rests on bytes user code could have written: limits, exit codes and signals are this process's own knowledge
and come before anything the report says (verdict.py).
"""

import gc
import os
import selectors
import time

import frames
import kernel
from channel import READ_SIZE
from conversation import send_json
from error_line import LIMIT as ERROR_LIMIT
from error_line import clip_utf8
from processes import Processes
from report import Report
from verdict import CANCELLED, COLLECTING, LEAVING, MEMORY_LIMIT, OUTPUT_LIMIT, TIMEOUT, Verdict, judge

# Seconds. The control plane gives up two seconds after the run's deadline: everything here ends before that.
COLLECTING_LIMIT = 5.0
LEAVING_LIMIT = 1.0
AFTER_DEADLINE = 1.5

OOM_WARNING = b"sandbox: a child process was killed for exceeding the memory limit\n"


def supervise(channel, execution, workspace):
    """Run one execution to its Finished frame. ControlPlaneGone and ProtocolError leave with everything killed."""
    run = Supervision(channel, execution)
    run.start(workspace)
    try:
        run.watch()
    finally:
        run.processes.kill_all()
    run.answer()


class Stream:
    """One of the child's two output pipes, and how much of its limit is left."""

    def __init__(self, kind, limit):
        self.kind, self.room, self.truncated, self.open = kind, limit, False, True
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)

    def read(self):
        """The next bytes within the limit; None if there are none now. Sets `truncated`, `open`."""
        try:
            data = os.read(self.reader, READ_SIZE)
        except BlockingIOError:
            return None
        if not data:
            self.open = False
            return None
        self.truncated = self.truncated or len(data) > self.room
        data = data[:self.room]
        self.room -= len(data)
        return data


class Input:
    """What the child reads from its standard input: fed as it takes it, never stored anywhere but here."""

    def __init__(self, content):
        self.left = memoryview(content)
        if content:
            self.reader, self.writer = os.pipe()
            os.set_blocking(self.writer, False)
        else:
            self.reader, self.writer = os.open("/dev/null", os.O_RDONLY), None

    @property
    def waiting(self):
        return self.writer is not None

    def feed(self):
        try:
            self.left = self.left[os.write(self.writer, self.left[:READ_SIZE]):]
        except BlockingIOError:
            return
        except BrokenPipeError:  # nobody will read the rest
            self.left = self.left[:0]
        if not self.left:
            os.close(self.writer)
            self.writer = None


class Supervision:
    def __init__(self, channel, execution):
        self.channel = channel
        self.execution = execution
        self.stdin = Input(execution.stdin)
        self.report = Report(execution.result_limit)
        self.stdout = Stream(frames.STDOUT, execution.output_limit)
        self.stderr = Stream(frames.STDERR, execution.output_limit)
        self.processes = Processes()
        self.selector = selectors.DefaultSelector()
        self.pressure = kernel.MemoryPressure()
        self.cause = None  # why we ended it, if we did
        self.ended = None  # the child's checked report that user code is over
        self.leaving = False

    def start(self, workspace):
        self.oom_kills_before = kernel.oom_kills()
        self.cpu_before = kernel.cpu_time_of_reaped()
        # What exists by now lives as long as the child: its collector need not walk, and so copy, those pages.
        gc.freeze()
        self.started = self.next_look = time.monotonic()
        self.run_deadline = self.deadline = self.started + self.execution.timeout
        parent = os.getpid()
        self.processes.main = os.fork()
        if self.processes.main == 0:
            from child import run_child

            streams = (self.stdin.reader, self.stdout.writer, self.stderr.writer)
            run_child(self.execution, self.report, workspace, streams, parent, self.run_deadline + AFTER_DEADLINE)
        os.close(self.stdin.reader)
        os.close(self.stdout.writer)
        os.close(self.stderr.writer)

    # ---- watch

    def watch(self):
        """Return when the child has exited, or `cause` says why it has to."""
        self.selector.register(self.channel.incoming, selectors.EVENT_READ, self.on_control)
        self.selector.register(self.processes.wakeup, selectors.EVENT_READ, self.on_signal)
        self.obey()
        while self.processes.status is None and self.cause is None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                self.look_at_report()
                self.cause = LEAVING if self.leaving else COLLECTING if self.ended else TIMEOUT
                return
            if self.next_look <= time.monotonic():
                self.next_look = time.monotonic() + self.pressure.INTERVAL
                if self.pressure.is_hopeless():
                    self.cause = MEMORY_LIMIT
                    return
            self.choose_descriptors()
            for key, _ in self.selector.select(min(left, self.pressure.INTERVAL)):
                key.data()

    def choose_descriptors(self):
        """The child's output is read only while the control plane takes it: otherwise its pipes fill and it waits."""
        for stream, handler in ((self.stdout, self.on_stdout), (self.stderr, self.on_stderr)):
            self._watch(stream.reader, selectors.EVENT_READ, handler, stream.open and not self.channel.is_full)
        if self.stdin.waiting:
            self._watch(self.stdin.writer, selectors.EVENT_WRITE, self.on_stdin, True)
        self._watch(self.channel.outgoing, selectors.EVENT_WRITE, self.channel.write_some, self.channel.waiting)

    def _watch(self, descriptor, event, handler, wanted):
        registered = descriptor in self.selector.get_map()
        if wanted and not registered:
            self.selector.register(descriptor, event, handler)
        elif registered and not wanted:
            self.selector.unregister(descriptor)

    def on_stdin(self):
        # Taken out before it may be closed: the number would name another file later.
        self._watch(self.stdin.writer, selectors.EVENT_WRITE, None, False)
        self.stdin.feed()

    def on_stdout(self):
        self.forward(self.stdout)

    def on_stderr(self):
        self.forward(self.stderr)

    def forward(self, stream):
        """One read's worth of output; False when there is no more now."""
        data = stream.read()
        if data:
            self.channel.send(stream.kind, data)
        if stream.truncated and self.cause in (None, COLLECTING, LEAVING):
            self.cause = OUTPUT_LIMIT
        return data is not None

    def on_control(self):
        self.channel.read_some()
        self.obey()

    def obey(self):
        while (frame := self.channel.decoder.next_frame()) is not None:
            if frame[0] != frames.CANCEL:
                raise frames.ProtocolError(f"frame kind {frame[0]:#04x} while code runs")
            self.cause = CANCELLED

    def on_signal(self):
        self.processes.drain_wakeup()
        self.processes.reap()
        self.look_at_report()

    def look_at_report(self):
        now = time.monotonic()
        if self.ended is None:
            self.ended = self.report.ended()
            if self.ended is None:
                return
            self.deadline = min(now + COLLECTING_LIMIT, self.run_deadline + AFTER_DEADLINE)
        if not self.leaving and self.report.is_done():
            self.leaving = True
            self.deadline = min(now + LEAVING_LIMIT, self.run_deadline + AFTER_DEADLINE + 0.1)

    # ---- answer

    def answer(self):
        """Everything below us is dead: what is in the pipes and in the report is all there will ever be."""
        wall_time = time.monotonic() - self.started
        for stream in (self.stdout, self.stderr):
            while self.forward(stream):
                pass
        self.look_at_report()
        verdict, payload, omitted = self.conclude()
        if payload is not None:
            self.channel.send(frames.RESULT, payload)
        ended_time = self.ended["execution_time"] if self.ended else wall_time
        send_json(self.channel, frames.FINISHED, {
            "status": verdict.status,
            "exit_code": verdict.exit_code,
            "signal": verdict.signal,
            "error": verdict.error and clip_utf8(" ".join(verdict.error.split()), ERROR_LIMIT),
            "execution_time": round(min(ended_time, wall_time), 6),
            "usage": {
                "wall_time": round(wall_time, 6),
                "cpu_time": round(kernel.cpu_time_of_reaped() - self.cpu_before, 6),
                "peak_memory": kernel.peak_memory(),
            },
            "truncated": {"stdout": self.stdout.truncated, "stderr": self.stderr.truncated},
            "omitted": omitted,
        })
        self.channel.flush()

    def conclude(self):
        """(verdict, Result payload or None, omitted)"""
        oom_killed = (kernel.oom_kills() or 0) > (self.oom_kills_before or 0)
        # Not reaped within the patience of kill_all: our SIGKILL is all that can have ended it.
        status = 9 if self.processes.status is None else self.processes.status
        verdict = judge(self.cause, status, self.ended, self.report.is_done(), oom_killed)
        # If we ended the run ourselves, the kernel may have been first with the main process.
        if oom_killed and self.cause in (None, COLLECTING, LEAVING) and verdict.status != MEMORY_LIMIT:
            self.channel.send(frames.STDERR, OOM_WARNING[:self.stderr.room])
        if verdict.status != "ok":
            return verdict, None, []
        result = self.report.result()
        if result is None:
            return Verdict("crashed", verdict.exit_code, verdict.signal), None, []
        payload, omitted = result
        if self.cause == COLLECTING:
            omitted.append({"name": "*", "reason": "the remaining names were not encoded in time"})
        return verdict, payload, omitted
