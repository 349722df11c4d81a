"""The parent's side of uploaded data: takes what the code asks, has the control plane answer it, and hands the answer back.

The code's processes connect to a socket in the container's own, otherwise empty, network namespace: forked ones as well, and none
of them holds a descriptor of ours. One connection is served at a time, one request of it at a time:

    request   [u32 length] the JSON of a DataRequest
    answer    the frame that the control plane sent

Memory: one request and one answer. What is no request ends its connection.
"""

import os
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, socket
from select import EPOLLIN, EPOLLOUT

import frames
from plain_json import dumps, loads

LONGEST_KEY = 255
LONGEST_REQUEST = 2048
LENGTH = 4
# The folder in the workspace with the files that uploaded.py makes of values.
UPLOADED = ".uploaded"


def address(runner):
    """`runner`: its process id. Abstract: no file, nothing to clean up."""
    return b"\0code-sandbox-data-%d" % runner


def checked(payload):
    """The payload of a DataRequest frame, made anew of what it may hold; None if this is no request."""
    try:
        asked = loads(payload)
        op = asked["op"]
        if op in ("find", "open") and type(asked["key"]) is str and len(asked["key"]) <= LONGEST_KEY:
            return dumps({"op": op, "key": asked["key"]})
        if op == "list" and (asked["after"] is None or type(asked["after"]) is str and len(asked["after"]) <= LONGEST_KEY):
            return dumps({"op": op, "after": asked["after"]})
        return dumps({"op": op}) if op == "read" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


class DataDesk:
    def __init__(self, want, ask):
        """`want`: watches a descriptor, see Supervision; `ask`: sends the payload of a DataRequest."""
        self.want, self.ask = want, ask
        self.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
        self.listener.bind(address(os.getpid()))
        self.listener.listen(64)
        self.client = None
        self.received, self.answer = bytearray(), b""
        self.is_asking = False

    def open(self):
        self.want(self.listener.fileno(), EPOLLIN, self.on_client)

    def on_client(self):
        try:
            self.client = os.fdopen(self.listener._accept()[0], "r+b", buffering=0)
        except OSError:
            return  # gone already
        os.set_blocking(self.client.fileno(), False)
        self.received.clear()
        self.want(self.listener.fileno(), EPOLLIN, None)
        self.want(self.client.fileno(), EPOLLIN, self.on_request)
        self.on_request()  # most have asked by now: it saves a round of the poll

    def on_request(self):
        try:
            data = self.client.read(LENGTH + LONGEST_REQUEST)
        except OSError:
            data = b""
        if data is None:
            return
        self.received += data
        # The next request comes after the answer: more than one is none.
        length = int.from_bytes(self.received[:LENGTH], "big") if len(self.received) >= LENGTH else 0
        if not data or length > LONGEST_REQUEST or len(self.received) > LENGTH + LONGEST_REQUEST:
            return self.end()
        if len(self.received) < LENGTH + length or len(self.received) < LENGTH:
            return
        request = checked(bytes(self.received[LENGTH:LENGTH + length]))
        if request is None or len(self.received) > LENGTH + length:
            return self.end()
        self.received.clear()
        self.want(self.client.fileno(), EPOLLIN, None)
        self.is_asking = True
        self.ask(request)

    def on_answer(self, kind, payload):
        if not self.is_asking:
            raise frames.ProtocolError(f"frame kind {kind:#04x} that nobody asked for")
        self.is_asking = False
        self.answer = memoryview(frames.HEADER.pack(kind, len(payload)) + payload)
        self.on_room()

    def on_room(self):
        try:
            self.answer = self.answer[self.client.write(self.answer) or 0:]
        except OSError:
            return self.end()
        if self.answer:
            self.want(self.client.fileno(), EPOLLOUT, self.on_room)
        else:
            self.want(self.client.fileno(), EPOLLOUT, None)
            self.want(self.client.fileno(), EPOLLIN, self.on_request)

    def end(self):
        """Of this client: the next one."""
        self.want(self.client.fileno(), EPOLLIN, None)
        self.client.close()
        self.client = None
        self.open()
