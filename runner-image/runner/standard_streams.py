"""The child's stdin, stdout and stderr, such that nothing it wrote is lost when it is killed."""

import io
import sys
# The code may have emptied the module.
from builtins import BaseException, BlockingIOError, getattr, memoryview
from errno import EAGAIN

_write = io.FileIO.write


class Pipe(io.FileIO):
    """One of the descriptors, which only later become the pipes they are for the code: a FileIO would remember what they were."""

    def seekable(self):
        return False


class PromptWriter(Pipe):
    """Passes every write on at once and whole: a plain FileIO may write a part, and TextIOWrapper ignores by how much. Nor is there a
    buffer, whose lock a forked process would find taken for ever and a signal handler could not take."""

    def write(self, data):
        rest = memoryview(data).cast("B")
        size = rest.nbytes
        while True:
            written = _write(self, rest)
            if written is None:
                raise BlockingIOError(EAGAIN, "write could not complete without blocking", size - rest.nbytes)
            rest = rest[written:]
            if not rest.nbytes:
                return size


def install():
    """Replace sys.stdin, stdout and stderr by new objects over descriptors 0, 1 and 2, as Python sets them up in C.UTF-8."""
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(
        io.BufferedReader(_named(Pipe(0, "r", closefd=False), "<stdin>")), encoding="utf-8", errors="surrogateescape", newline="\n")
    sys.stdout = sys.__stdout__ = _writer(1, "<stdout>", "surrogateescape")
    sys.stderr = sys.__stderr__ = _writer(2, "<stderr>", "backslashreplace")
    sys.stdin.mode = "r"


def flush():
    """Whatever user code put in their place may hold text back. (name, exception) of the first that cannot pass it on, else None."""
    failure = None
    for name in ("stdout", "stderr"):
        try:
            stream = getattr(sys, name, None)
            if stream is not None and not _is_closed(stream):
                stream.flush()
        except BaseException as error:
            failure = failure or (name, error)
    return failure


def _is_closed(stream):
    try:
        return stream.closed
    except BaseException:
        return False  # so Python takes it


def _named(raw, name):
    raw.name = name
    return raw


def _writer(descriptor, name, errors):
    writer = io.TextIOWrapper(_named(PromptWriter(descriptor, "w", closefd=False), name), encoding="utf-8", errors=errors,
                              newline="\n", write_through=True)
    writer.mode = "w"
    return writer
