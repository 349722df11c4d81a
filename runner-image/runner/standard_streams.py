"""The child's stdin, stdout and stderr, such that nothing it wrote is lost when it is killed."""

import io
import sys
# The code may have emptied the module.
from builtins import BaseException, getattr


class Pipe(io.FileIO):
    """One of the descriptors, which only later become the pipes they are for the code: a FileIO would remember what they were."""

    def seekable(self):
        return False


class PromptWriter(io.BufferedWriter):
    """Passes every write on at once. Not a raw FileIO: that may write only a part, and TextIOWrapper ignores by how much."""

    def write(self, data):
        written = super().write(data)
        self.flush()
        return written


def install():
    """Replace sys.stdin, stdout and stderr by new objects over descriptors 0, 1 and 2, as Python sets them up in C.UTF-8."""
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(
        io.BufferedReader(_raw(0, "r", "<stdin>")), encoding="utf-8", errors="surrogateescape", newline="\n")
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


def _raw(descriptor, mode, name):
    raw = Pipe(descriptor, mode, closefd=False)
    raw.name = name
    return raw


def _writer(descriptor, name, errors):
    writer = io.TextIOWrapper(PromptWriter(_raw(descriptor, "w", name)), encoding="utf-8", errors=errors,
                              newline="\n", write_through=True)
    writer.mode = "w"
    return writer
