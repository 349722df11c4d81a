"""The two ends of the conversation with the control plane: frames in, frames out, never blocking on the way out."""

import os
import select

from frames import Decoder, ProtocolError, encode_frame, encode_header

# More waiting output than this and the child's pipes are left alone until the control plane has read some.
OUTGOING_LIMIT = 256 * 1024
READ_SIZE = 64 * 1024


class ControlPlaneGone(Exception):
    """End of file on stdin, or nobody reads our stdout any more: there is no one left to answer."""


class ControlChannel:
    def __init__(self, incoming, outgoing):
        self.incoming = incoming
        self.outgoing = outgoing
        self.decoder = Decoder()
        self.waiting = bytearray()
        os.set_blocking(outgoing, False)

    @classmethod
    def take_over_stdio(cls):
        """Move the conversation to private descriptors, so that an import that prints or reads during a preload cannot
        touch it: descriptor 0 becomes /dev/null and 1 goes where 2 goes."""
        incoming, outgoing = os.dup(0), os.dup(1)
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        return cls(incoming, outgoing)

    def close(self):
        """This process is no longer part of the conversation."""
        os.close(self.incoming)
        os.close(self.outgoing)

    # ---- in

    def receive(self):
        """The next frame, waiting for it."""
        while (frame := self.decoder.next_frame()) is None:
            self.read_some()
        return frame

    def has_arrived(self, seconds):
        """Whether something is to be read now or within this time."""
        poll = select.poll()
        poll.register(self.incoming, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def read_some(self):
        """Take what stdin has (call it when readable, or to wait). End of file raises ControlPlaneGone."""
        data = os.read(self.incoming, READ_SIZE)
        if not data:
            raise ControlPlaneGone
        self.decoder.feed(data)

    # ---- out

    @property
    def is_full(self):
        return len(self.waiting) > OUTGOING_LIMIT

    def send(self, kind, payload=b""):
        """Queue one frame and write what the pipe takes now."""
        self.queue(kind, payload)
        self.write_some()

    def queue(self, kind, payload=b""):
        """One frame to go with what is sent next."""
        self.waiting += encode_frame(kind, payload)

    def queue_large(self, kind, payload):
        """The same of a memoryview, without a copy of the whole: what the control plane does not take waits where it is."""
        self.waiting += encode_header(kind, len(payload))
        for start in range(0, len(payload), OUTGOING_LIMIT):
            self.waiting += payload[start:start + OUTGOING_LIMIT]
            if self.is_full:
                self.flush()

    def write_some(self):
        try:
            while self.waiting:
                # A slice: handing over the whole buffer would copy nothing but could pin megabytes for one short write.
                written = os.write(self.outgoing, self.waiting[:READ_SIZE])
                del self.waiting[:written]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            raise ControlPlaneGone from None

    def flush(self):
        """Write everything, however slowly it is read; gives up only when the control plane goes away."""
        poll = select.poll()
        poll.register(self.outgoing, select.POLLOUT)
        poll.register(self.incoming, select.POLLIN)
        self.write_some()
        while self.waiting:
            for descriptor, _ in poll.poll():
                if descriptor == self.incoming:
                    self.discard_incoming()
            self.write_some()

    def wait_for_end(self):
        """Until the control plane hangs up, which is ControlPlaneGone."""
        while True:
            self.discard_incoming()

    def discard_incoming(self):
        """A late Cancel is no longer of use once the answer is on its way; end of file still is."""
        self.read_some()
        try:
            while self.decoder.next_frame() is not None:
                pass
        except ProtocolError:
            raise ControlPlaneGone from None
