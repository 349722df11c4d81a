"""Doing everything that a request needs once before there is one, while nobody waits.

What runs for the first time reads its code from files, which in a container are all new, and is not yet specialised by the
interpreter. Without this the first request, which is the only one there is, takes twice as long.
"""

import os
import sys
from _signal import SIG_DFL, SIG_SETMASK, SIGALRM, SIGPROF, pthread_sigmask, signal

from archive import read_archive
from channel import ControlChannel
from conversation import Execution
from frames import ARCHIVE, EXECUTE, HEADER, Decoder
from plain_json import dumps
from regain import give_back, reset_signals_of_runner
from report import DONE, ENDED, LEFT, MEMBER, Report
from start import Start

# The interpreter specialises what it has seen often enough; a failure need not be as quick.
ROUNDS = 12
PROGRAMS = ("values = [1, 2.5, 'text', {'a': None}]\nprint(values)",) * ROUNDS + ("1/0",) * 2
LIMITS = {"timeout_ms": 1000, "output_limit": 1000}


# ---- the child


def rehearse_as_child(script_of):
    """Run small programs from their frames to their results, to nowhere, and undo what that leaves behind in this process.

    `script_of`: what makes a Script of an execution and a report."""
    # An uploaded file needs the one, a failure of the code the other, and they are dear where nothing else has drawn them in.
    import pathlib  # noqa: F401
    import traceback  # noqa: F401

    stderr, nowhere = os.dup(2), os.open("/dev/null", os.O_WRONLY)
    os.dup2(nowhere, 2)
    modules, arguments, finders = dict(sys.modules), list(sys.argv), list(sys.meta_path)
    try:
        for program in PROGRAMS:
            report = Report(1000, 1000)
            report.write_as_child()
            script = script_of(Execution(LIMITS, read_archive(_received(program))), report)
            script.execute()
            script.collect(lambda: None)
    finally:
        # Running code ends with taking the interpreter back from it.
        give_back()
        sys.modules.update(modules)
        sys.argv[:], sys.meta_path[:] = arguments, finders
        pthread_sigmask(SIG_SETMASK, [])
        for number in (SIGALRM, SIGPROF):
            signal(number, SIG_DFL)
        reset_signals_of_runner()
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def _received(program):
    """The archive of a request for this program, by way of the decoder."""
    decoder = Decoder()
    decoder.feed(_frame(EXECUTE, dumps(LIMITS)) + _frame(ARCHIVE, _tar(program.encode())))
    decoder.next_frame()
    return decoder.next_frame()[1]


def _frame(kind, payload):
    return HEADER.pack(kind, len(payload)) + payload


def _tar(content):
    header = bytearray(512)
    header[0:7], header[124:135], header[156:157], header[257:263] = b"main.py", b"%011o" % len(content), b"0", b"ustar\0"
    header[148:156] = b"%06o\0 " % (sum(header) + 8 * ord(" "))
    return bytes(header) + content + bytes(-len(content) % 512 + 1024)


# ---- the parent


class Nobody:
    """In the place of the child's processes."""

    main, status = 0, None

    def __init__(self):
        self.wakeup, self.waker = os.pipe()

    def drain_wakeup(self):
        os.read(self.wakeup, 16)

    def reap(self):
        pass

    def stop_all(self, tasks):
        tasks()
        return True

    def kill_all(self):
        pass


def rehearse_as_parent(supervision_of):
    """`supervision_of`: what makes a Supervision of a channel, processes and a report."""
    for _ in range(ROUNDS):
        # To nowhere: a late parent finds the request's files in the workspace, and an answer about all of them is larger than a pipe.
        (incoming, asker), outgoing = os.pipe(), os.open("/dev/null", os.O_WRONLY)
        report = Report(1000, 1000)
        report.write_as_child()
        report.append(ENDED, dumps({"status": "ok", "exit_code": 0, "error": None, "execution_time": 0.1}))
        report.append(MEMBER, b'"a":1')
        report.mark(DONE)
        nobody = Nobody()
        run = supervision_of(ControlChannel(incoming, outgoing), nobody, report)
        os.write(run.stdout.writer, b"text")
        run.begin(Start({**LIMITS, "timeout": 1.0, "files_limit": 0, "max_output_files": 0, "given": {}}, b"", b""))
        report.mark(LEFT)
        os.write(nobody.waker, b"\n")
        run.finish()
        run.close()
        os.close(asker)
