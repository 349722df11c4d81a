"""The forked child: take the request, make this process an ordinary script's, run the code, report, leave. Never returns to
the parent's code."""

import gc
import os
import sys
from _signal import pause
from os import _exit, getpid
from time import monotonic

import exit_threads
import interpreter_end
import last_line
import namespace
import request_files
import pristine
import source
import spawn
import standard_streams
from channel import ControlPlaneGone
from collect import Collector
from conversation import link_font_cache, receive_execution
from display import Display
from encode import json_text
from error_line import error_line
from figures import Figures
from frames import STARTED, ProtocolError
from inputs import Inputs
from kernel import become_ordinary
from regain import reset_signals_of_runner, theirs
from rehearsal import rehearse_as_child
from report import DONE, ENDED, LEFT
from result import Result
from start import ask_for_rehearsal, say_start
from uploaded import Uploaded
from supervisor import AFTER_DEADLINE, COLLECTING_LIMIT, PROTOCOL_BROKEN

INTERNAL_FAILURE = 71


def run_child(run, workspace):
    """`run`: the parent's Supervision as it was at the fork."""
    try:
        become_script(run, workspace)
        execution = receive_execution(run.channel, lambda: settle(run), lambda: rehearse(run))
        if execution is not None:
            problem = request_files.write(execution.files)
            namespace.give_way(execution.files)
            execution.files = None
            script = Script(execution, run.report)
            start(run, execution)
            script.run(problem)
        _exit(0)
    except ControlPlaneGone:
        _exit(0)
    except ProtocolError as error:
        os.write(2, f"runner: {error}\n".encode())
        _exit(PROTOCOL_BROKEN)
    except BaseException as failure:
        # A defect of ours, an unfit container, or code that reached into our frames. Without a report it is a crash.
        os.write(2, f"sandbox: {error_line(failure)}\n".encode())
    finally:
        _exit(INTERNAL_FAILURE)


def become_script(run, workspace):
    """All that can be done before the request is there: own session, default signals, no descriptor but those needed, the
    workspace as current directory, no way to import the runner's modules."""
    os.setsid()
    reset_signals_of_runner()
    # Nothing untrusted exists yet that could look into this process while it still holds the conversation.
    become_ordinary(run.parent)
    os.chdir(workspace)
    link_font_cache()
    # What an import or the rehearsal prints is nobody's output.
    os.dup2(0, 1)
    standard_streams.install()
    sys.argv = ["main.py"]
    sys.path.remove(os.path.dirname(__file__))
    sys.path.insert(0, os.getcwd())
    run.report.write_as_child()
    run.runner_modules = namespace.hide_runner_modules()


def settle(run):
    """While nobody waits: what was opened by imports is closed, and what they left in memory is not looked at again."""
    close_all_but({0, 1, 2, run.channel.incoming, run.channel.outgoing, *run.child_ends()})
    pristine.remember()
    gc.freeze()


def rehearse(run):
    """The parent does the same meanwhile."""
    ask_for_rehearsal(run.start_writer)
    rehearse_as_child(Script)


def close_all_but(kept):
    """By listing them: a range needs a limit, which a container may set lower than a descriptor already is."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor not in kept:
            try:
                os.close(descriptor)
            except OSError:
                pass  # the one that listed them


def start(run, execution):
    """Tell control plane and parent, and give up the conversation: from here on this process is user code's."""
    # Not left to the parent: were it killed before its next step, the code would have run, and the control plane would have it run
    # again elsewhere. The pipe holds no more than Rehearsed and answers to preloads, so that it takes this at once.
    run.channel.send(STARTED)
    run.channel.close()
    say_start(run.start_writer, execution, bytes(run.channel.decoder.buffer))
    ends = run.child_ends()
    for target, descriptor in enumerate(ends[:3]):
        os.dup2(descriptor, target)
    for descriptor in ends:
        os.close(descriptor)


class Script:
    """The execution as seen from the inside."""

    def __init__(self, execution, report):
        self.execution = execution
        self.report = report
        self.pid = os.getpid()
        self.outcome = None
        sys.argv += execution.args
        self.inputs = Inputs(execution.input_data, execution.input_json)
        self.uploaded = Uploaded(report.parent, os.getcwd())
        self.main = namespace.install_main(execution, self.inputs, self.uploaded)
        spawn.install(execution.source, os.getcwd())

    def run(self, problem):
        """`problem`: why the code cannot be run after all."""
        self.execute(problem)
        if getpid() == self.pid:
            self.collect(self.finish)
            self.finish()
        # os.fork() in user code, and this is the copy that ran off its end: it leaves like any script, but reports nothing.
        self.leave()

    def execute(self, problem=None):
        code, names = self.execution.source, namespace.names_of(self.main)
        # After the start: importing pandas for a bare `pd` is on the code's own time.
        self.latest = monotonic() + self.execution.timeout + AFTER_DEADLINE
        aliases, failure = source.import_aliases(code, names)
        self.aliases = {"data": self.uploaded, **aliases}
        started = monotonic()
        self.outcome = source.refused(problem) if problem else source.run(code, names, failure)
        with theirs:
            running = exit_threads.wait()
            # Like Python's, but before the exit handlers: afterwards the outcome is told.
            lost = standard_streams.flush()
        if running:
            source.tell(f"threads that did not end within {exit_threads.LIMIT:.0f} s after the last line: {running}; they end with the run")
        if lost is not None and self.outcome.status == "ok":
            self.outcome = source.unflushed(*lost)
        self.elapsed = monotonic() - started

    def collect(self, then):
        """Write everything into the report; `then` is called instead of a return if a value never lets go."""
        self.report.append(ENDED, json_text({
            "status": self.outcome.status,
            "exit_code": self.outcome.exit_code,
            "error": self.outcome.error,
            "execution_time": self.elapsed,
        }))
        answer_by = min(monotonic() + COLLECTING_LIMIT, self.latest)
        collector, figures = Collector(self.report, answer_by, then), Figures(self.report)
        # Ours for as long as the others are, and no longer: its finalizer may have something to say.
        names = namespace.names_of(self.main)
        self.shown = last_line.take(names)
        data, drawings = namespace.results(names, self.aliases)
        # The last to be added is the first to be done: to draw may take what time there is.
        collector.add_next(figures.jobs(drawings, collector))
        if self.outcome.status == "ok":
            if self.shown is not last_line.ABSENT and self.shown is not None:
                collector.add_next(Display(self.shown, figures).jobs())
            collector.add_next(Result(self.report, self.inputs).jobs(data))
        # The references left must not be ours: finalizers run at the latest when the jobs are done.
        del names, data, drawings
        collector.run()

    def finish(self):
        self.report.mark(DONE)
        self.leave()

    def leave(self):
        report, outcome = self.report, self.outcome
        interpreter_end.end(vars(self))
        standard_streams.flush()
        if report.writer == getpid():
            report.mark(LEFT)
            report.notify()
            while True:  # the parent stops this process, and kills it when its dying delays nobody
                pause()
        _exit(outcome.exit_code)
