"""The parent's ends of the child's standard streams."""

import os
from fcntl import ioctl
from sys import byteorder

from channel import READ_SIZE

FIONREAD = 0x541B


class Stream:
    """One of the child's two output pipes, and how much of its limit is left."""

    def __init__(self, kind):
        self.kind, self.room, self.truncated, self.open = kind, 0, False, True
        self.taken = 0  # bytes that were read, within the limit or not
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)

    def waiting_bytes(self):
        """How much there is to read now."""
        return int.from_bytes(ioctl(self.reader, FIONREAD, bytes(4)), byteorder)

    def read(self):
        """The next bytes within the limit; None if there are none now. Sets `truncated`, `open`."""
        try:
            data = os.read(self.reader, READ_SIZE)
        except BlockingIOError:
            return None
        if not data:
            self.open = False
            return None
        self.taken += len(data)
        self.truncated = self.truncated or len(data) > self.room
        data = data[:self.room]
        self.room -= len(data)
        return data


class Input:
    """What the child reads from its standard input: fed as it takes it, never stored anywhere but here."""

    def __init__(self):
        self.left = memoryview(b"")
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)

    def provide(self, content):
        self.left = memoryview(content)
        self.feed()

    @property
    def waiting(self):
        return self.writer is not None

    def feed(self):
        try:
            while self.left:
                self.left = self.left[os.write(self.writer, self.left[:READ_SIZE]):]
        except BlockingIOError:
            return
        except BrokenPipeError:  # nobody will read the rest
            self.left = self.left[:0]
        if not self.left:
            os.close(self.writer)
            self.writer = None
