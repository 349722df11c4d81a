"""The parent's side of one execution: fork, wait for the start, watch, limit, kill, drain, answer.

    WAITING --> RUNNING ---- child reports "ended" ----> COLLECTING ---- child reports "done" ----> LEAVING --> "left"
       |           |  deadline: timeout                     |  deadline: 15 s, or the               |  deadline: 1 s for
       |           |                                        |  run's deadline + 1.5 s               |  exit handlers
       |           +--------------------+-------------------+---------------------------------------+
       |                                v
       |  child exited | deadline | output limit | no memory left to work in | cancelled | control plane gone
       v                                v
     child exited       kill (or stop) everything -> drain the pipes -> Result, Display, Figures, Files, Finished
                        -> control plane hangs up -> exit

No verdict rests on bytes user code could have written: limits, exit codes and signals are this process's own knowledge
and come before anything the report says (verdict.py). A child that reports that it has left is taken at its word about
itself, which is all that its report can be about: it is stopped, and dies when the container does.
"""

import os
import select
import sys
import time

import frames
from channel import ControlPlaneGone
from data_desk import DataDesk
from error_line import LIMIT as ERROR_LIMIT
from error_line import clip_utf8
from kernel import Counters, MemoryPressure
from output_files import OutputFiles, has_nothing_to_send, open_workspace
from plain_json import dumps
from processes import Processes
from report import DONE, LEFT, Report
from start import await_start
from streams import Input, Stream
from verdict import CANCELLED, COLLECTING, LEAVING, MEMORY_LIMIT, OUTPUT_LIMIT, TIMEOUT, Verdict, judge
from verdict import LEFT as HAS_LEFT

# Seconds. The control plane gives up 1.9 s after the run's deadline: the report is complete before that, and what is left is to kill.
COLLECTING_LIMIT = 15.0
LEAVING_LIMIT = 1.0
AFTER_DEADLINE = 1.5

DEFAULT_RESULT_LIMIT, DEFAULT_FIGURES_LIMIT = 8 << 20, 16 << 20  # bytes
PROTOCOL_BROKEN = 70

# Seconds at the start in which output waits: most runs are over by then, and so are told in one piece, which is one way through
# the container engine instead of three.
HOLD = 0.002

OOM_WARNING = b"sandbox: a child process was killed for exceeding the memory limit\n"
LEAVING_WARNING = b"sandbox: exit handlers, finalizers or processes that they wait for did not end in time: they were ended\n"


class Supervision:
    def __init__(self, channel, processes, report, workspace):
        self.channel = channel
        self.processes = processes
        self.report = report
        self.workspace = workspace  # descriptor, or path until the process that answers has opened it
        self.stdin = Input()
        self.stdout, self.stderr = Stream(frames.STDOUT), Stream(frames.STDERR)
        self.start_reader, self.start_writer = os.pipe()
        self.cause = None  # why we ended it, if we did
        self.ended = None  # the child's checked report that user code is over
        self.leaving = False
        self.desk = None

    @classmethod
    def of(cls, channel, workspace):
        """The one and only of this runner."""
        report = Report(int(os.environ.pop("SANDBOX_RESULT_LIMIT", DEFAULT_RESULT_LIMIT)),
                        int(os.environ.pop("SANDBOX_FIGURES_LIMIT", DEFAULT_FIGURES_LIMIT)))
        return cls(channel, Processes(), report, workspace)

    def fork(self):
        """As os.fork(). The child is to run the code; its ends of the pipes are `child_ends`."""
        self.parent = os.getpid()
        # Before there is anybody who may ask: on a busy machine the code runs before its parent has done another step.
        self.desk = DataDesk(self.want, lambda request: self.channel.send(frames.DATA_REQUEST, request))
        self.processes.main = os.fork()
        if self.processes.main:
            for descriptor in self.child_ends():
                os.close(descriptor)
        else:
            self.desk.listener.close()
        return self.processes.main

    def child_ends(self):
        """The descriptors of the child alone: its 0, 1, 2, and what it says the start with."""
        return self.stdin.reader, self.stdout.writer, self.stderr.writer, self.start_writer

    def supervise(self):
        """From the start to the Finished frame and the end of the pipe; the exit status of the runner."""
        self.observe(Counters())
        self.workspace = open_workspace(self.workspace)
        start = await_start(self.start_reader, self.rehearse)
        if start is None:
            return self.end_before_start()
        try:
            self.begin(start)
            self.finish()
            # The control plane says when: to end the processes costs the machine more than the request itself.
            self.channel.wait_for_end()
        except ControlPlaneGone:
            self.processes.kill_all()
        except frames.ProtocolError as error:
            self.processes.kill_all()
            print(f"runner: {error}", file=sys.stderr, flush=True)
            return PROTOCOL_BROKEN
        return 0

    def observe(self, counters):
        self.counters = counters
        self.pressure = MemoryPressure(counters)
        self.oom_kills_before = counters.oom_kills()

    def rehearse(self):
        from rehearsal import rehearse_as_parent

        def rehearsed(channel, processes, report):
            run = Supervision(channel, processes, report, self.workspace)
            run.observe(self.counters)
            return run

        rehearse_as_parent(rehearsed)

    def finish(self):
        self.watch()
        # Stopped and alone it cannot wake up again: by a parent's death, a child's, or a signal that one of them has arranged for.
        if not (self.cause == HAS_LEFT and self.processes.stop_all(self.counters.tasks) and has_nothing_to_send(self.workspace)):
            self.processes.kill_all()
        self.answer()

    def close(self):
        """Of a rehearsal."""
        for descriptor in (self.channel.incoming, self.channel.outgoing, self.processes.wakeup, self.processes.waker,
                           self.stdout.reader, self.stderr.reader, *self.child_ends(), self.start_reader):
            os.close(descriptor)
        self.poll.close()

    def end_before_start(self):
        """The child has left on its own, with the exit status that is ours as well, or was killed while it took the request."""
        self.started = time.monotonic()
        self.cpu_before = 0.0
        code = os.waitstatus_to_exitcode(self.processes.wait_for_main())
        if code >= 0:
            return code
        try:
            self.answer()
            self.channel.wait_for_end()
        except ControlPlaneGone:
            pass
        return 0

    def begin(self, start):
        self.started = time.monotonic()
        self.held_until = self.started + HOLD
        self.next_look = self.started + self.pressure.INTERVAL
        self.run_deadline = self.deadline = self.started + start.timeout
        self.stdout.room = self.stderr.room = start.output_limit
        self.files = OutputFiles(self.channel, start.given, start.max_output_files, start.files_limit)
        self.cpu_before = self.counters.cpu_time(self.processes.main)
        self.stdin.provide(start.stdin)
        self.channel.decoder.feed(start.leftover)

    # ---- watch

    def watch(self):
        """Return when the child has exited or left, or `cause` says why it has to."""
        self.poll = select.epoll()
        self.handlers = {}
        self.want(self.channel.incoming, select.EPOLLIN, self.on_control)
        self.want(self.processes.wakeup, select.EPOLLIN, self.on_signal)
        if self.desk:
            self.desk.open()
        self.obey()
        while self.processes.status is None and self.cause is None:
            now = time.monotonic()
            if self.deadline <= now:
                self.look_at_report()
                if self.cause is None and self.deadline > now:
                    continue  # the code has just ended: there is time left to tell of it
                self.cause = self.cause or (LEAVING if self.leaving else COLLECTING if self.ended else TIMEOUT)
                return
            if self.next_look <= now:
                self.next_look = now + self.pressure.INTERVAL
                self.look_at_report()
                if self.cause is None and self.pressure.is_hopeless():
                    self.cause = MEMORY_LIMIT
                if self.cause is not None:
                    return
            if self.held_until <= now:
                self.choose_descriptors()
                wake_up = min(self.deadline, self.next_look)
            else:
                wake_up = min(self.deadline, self.held_until)
            for descriptor, _ in self.poll.poll(wake_up - now):
                # One that an earlier handler of this round is done with is no longer there.
                self.handlers.get(descriptor, lambda: None)()

    def choose_descriptors(self):
        """The child's output is read only while the control plane takes it: otherwise its pipes fill and it waits."""
        for stream, handler in ((self.stdout, self.on_stdout), (self.stderr, self.on_stderr)):
            self.want(stream.reader, select.EPOLLIN, handler if stream.open and not self.channel.is_full else None)
        if self.stdin.waiting:
            self.want(self.stdin.writer, select.EPOLLOUT, self.on_stdin)
        self.want(self.channel.outgoing, select.EPOLLOUT, self.channel.write_some if self.channel.waiting else None)

    def want(self, descriptor, event, handler):
        """Watch a descriptor, or no more without a handler."""
        known = self.handlers.get(descriptor)
        if handler and not known:
            self.poll.register(descriptor, event)
            self.handlers[descriptor] = handler
        elif known and not handler:
            self.poll.unregister(descriptor)
            del self.handlers[descriptor]

    def on_stdin(self):
        # Taken out before it may be closed: the number would name another file later.
        self.want(self.stdin.writer, select.EPOLLOUT, None)
        self.stdin.feed()

    def on_stdout(self):
        self.forward(self.stdout)
        self.channel.write_some()

    def on_stderr(self):
        self.forward(self.stderr)
        self.channel.write_some()

    def forward(self, stream):
        """One read's worth of output; False when there is no more now."""
        data = stream.read()
        if data:
            self.channel.queue(stream.kind, data)
        if stream.truncated and self.cause in (None, COLLECTING, LEAVING, HAS_LEFT):
            self.cause = OUTPUT_LIMIT
        return data is not None

    def on_control(self):
        self.channel.read_some()
        self.obey()

    def obey(self):
        while (frame := self.channel.decoder.next_frame()) is not None:
            if frame[0] in (frames.DATA, frames.DATA_CHUNK, frames.DATA_OPENED) and self.desk:
                self.desk.on_answer(*frame)
            elif frame[0] == frames.CANCEL:
                self.cause = CANCELLED
            else:
                raise frames.ProtocolError(f"frame kind {frame[0]:#04x} while code runs")

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
        progress = self.report.progress_made()
        if not self.leaving and progress >= DONE:
            self.leaving = True
            self.deadline = min(now + LEAVING_LIMIT, self.run_deadline + AFTER_DEADLINE + 0.1)
        if progress == LEFT and self.processes.status is None:
            self.cause = self.cause or HAS_LEFT

    # ---- answer

    def answer(self):
        """Everything below us is dead or stopped: what is in the pipes, the report and the workspace is what there is."""
        wall_time = time.monotonic() - self.started
        for stream in (self.stdout, self.stderr):
            self.drain(stream)
        self.look_at_report()
        verdict, contents = self.conclude()
        omitted = []
        if verdict.status == "ok":
            self.channel.queue(frames.RESULT, contents.result)
            for place in contents.displays:
                self.channel.queue_large(frames.DISPLAY, self.report.view(place))
        if verdict.status in ("ok", "error"):
            # Where the run was ended instead, files and figures may be half of what they were to become.
            for place in contents.figures:
                self.channel.queue_large(frames.FIGURE, self.report.view(place))
            omitted = contents.omitted + self.files.send(self.workspace)
        ended_time = self.ended["execution_time"] if self.ended else wall_time
        self.channel.queue(frames.FINISHED, dumps({
            "status": verdict.status,
            "exit_code": verdict.exit_code,
            "signal": verdict.signal,
            "error": verdict.error and clip_utf8(" ".join(verdict.error.split()), ERROR_LIMIT),
            "execution_time": round(min(ended_time, wall_time), 6),
            "usage": {
                "wall_time": round(wall_time, 6),
                "cpu_time": round(self.counters.cpu_time(self.processes.main) - self.cpu_before, 6),
                "peak_memory": self.counters.peak_memory(self.processes.main),
            },
            "truncated": {"stdout": self.stdout.truncated, "stderr": self.stderr.truncated},
            "omitted": omitted,
        }))
        self.channel.flush()

    def warn(self, text):
        """In the code's stderr, as far as there is room."""
        text = text[:self.stderr.room]
        self.stderr.room -= len(text)
        if text:
            self.channel.send(frames.STDERR, text)

    def drain(self, stream):
        """What is in the pipe by now: a process that was born during the kill may go on writing."""
        end = stream.taken + stream.waiting_bytes()
        # A read may bring much less than there is: of a pipe in packet mode one write.
        while stream.taken < end and self.forward(stream):
            pass

    def conclude(self):
        """(verdict, the report's Contents: not None where the code ended by itself)"""
        oom_killed = (self.counters.oom_kills() or 0) > (self.oom_kills_before or 0)
        # Not reaped within the patience of kill_all: our SIGKILL is all that can have ended it.
        status = 9 if self.processes.status is None else self.processes.status
        verdict = judge(self.cause, status, self.ended, self.report.progress_made() >= DONE, oom_killed)
        # If we ended the run ourselves, the kernel may have been first with the main process.
        if oom_killed and self.cause in (None, COLLECTING, LEAVING, HAS_LEFT) and verdict.status != MEMORY_LIMIT:
            self.warn(OOM_WARNING)
        if self.cause == LEAVING and self.report.progress_made() != LEFT:
            self.warn(LEAVING_WARNING)
        if verdict.status not in ("ok", "error"):
            return verdict, None
        contents = self.report.contents()
        if contents is None:
            return Verdict("crashed", verdict.exit_code, verdict.signal), None
        if self.cause == COLLECTING:
            contents.omitted.append({"name": "*", "reason": "the remaining names and figures were not encoded in time"})
        return verdict, contents
