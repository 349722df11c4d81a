"""The forked child: make this process an ordinary script's, run the code, report, leave. Never returns to the parent's code."""

import atexit
import gc
import os
import sys
from os import _exit, getpid
from time import monotonic

import exit_threads
import namespace
import source
import spawn
import standard_streams
from collect import Collector
from encode import json_text
from error_line import error_line
from kernel import become_ordinary
from regain import reset_signals_of_runner
from report import ENDED

COLLECTING_TIME = 5.0
INTERNAL_FAILURE = 71


def run_child(execution, report, workspace, streams, parent, answer_by):
    """`streams`: the descriptors that become 0, 1 and 2. `answer_by`: monotonic time after which nobody waits for the result."""
    try:
        become_script(execution, workspace, streams, parent)
        report.write_as_child()
        Script(execution, report, answer_by).run()
    except BaseException as failure:
        # A defect of ours, an unfit container, or code that reached into our frames. Without a report it is a crash.
        os.write(2, f"sandbox: {error_line(failure)}\n".encode())
    finally:
        _exit(INTERNAL_FAILURE)


def become_script(execution, workspace, streams, parent):
    """Own session, default signals, descriptors 0, 1, 2 and no other, the workspace as current directory."""
    os.setsid()
    reset_signals_of_runner()
    for target, descriptor in enumerate(streams):
        os.dup2(descriptor, target)
    # The way to the control plane ends here for this process; only then may others look into it.
    close_inherited()
    become_ordinary(parent)
    os.chdir(workspace)
    standard_streams.install()
    sys.argv = ["main.py", *execution.args]
    sys.path.insert(0, os.getcwd())


def close_inherited():
    """By listing them: a range needs a limit, which a container may set lower than a descriptor already is."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2:
            try:
                os.close(descriptor)
            except OSError:
                pass  # the one that listed them


class Script:
    """The execution as seen from the inside."""

    def __init__(self, execution, report, answer_by):
        self.execution = execution
        self.report = report
        self.answer_by = answer_by
        self.pid = os.getpid()
        self.outcome = None
        self.main = namespace.install_main(execution)
        self.aliases = source.import_aliases(execution.source, self.main.__dict__)
        spawn.install(execution.source, os.getcwd())
        # From here on `import` is the user's alone.
        self.runner_modules = namespace.hide_runner_modules()

    def run(self):
        started = monotonic()
        self.outcome = source.run(self.execution.source, self.main.__dict__)
        exit_threads.wait()
        elapsed = monotonic() - started
        if getpid() != self.pid:
            # os.fork() in user code, and this is the copy that ran off its end: it leaves like any script, but reports nothing.
            self.leave()
        self.report.append(ENDED, json_text({
            "status": self.outcome.status,
            "exit_code": self.outcome.exit_code,
            "error": self.outcome.error,
            "execution_time": elapsed,
        }))
        self.report.notify()
        if self.outcome.status == "ok":
            answer_by = min(monotonic() + COLLECTING_TIME, self.answer_by)
            Collector(self.report, namespace.results(self.main.__dict__, self.aliases), self.execution.input_json,
                      answer_by, then=self.finish).run()
        self.finish()

    def finish(self):
        self.report.notify(done=True)
        self.leave()

    def leave(self):
        """What the interpreter does at its end, as far as it can be seen: exit handlers, finalizers, flushed files."""
        try:
            atexit._run_exitfuncs()
        except BaseException:
            pass
        try:
            # Collected, not cleared: finalizers still find their module's names. What existed before the fork is frozen
            # and costs nothing here.
            self.main = self.aliases = sys.modules["__main__"] = None
            gc.collect()
        except BaseException:
            pass
        standard_streams.flush()
        _exit(self.outcome.exit_code)
