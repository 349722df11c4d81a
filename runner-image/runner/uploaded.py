"""`data`: uploaded data as the code sees it. Each value is fetched when it is first used, and is the same from then on."""

import os
from _socket import AF_UNIX, SHUT_RDWR, SOCK_CLOEXEC, SOCK_STREAM, socket
from _thread import RLock
from errno import ENOSPC

from data_desk import LENGTH, LONGEST_KEY, UPLOADED, address
from frames import DATA_CHUNK, DATA_OPENED, HEADER
from plain_json import dumps, loads

KNOWN_LENGTH = 2  # bytes of the length before what DataOpened knows of a value


class Uploaded:
    """The uploaded data. data["key"] is a JSON upload's value, or the pathlib.Path of a file with anything else;
    data.path("key") is a file in any case. A key that does not exist is a KeyError."""

    def __init__(self, runner, workspace):
        self.__address, self.__folder = address(runner), os.path.join(workspace, UPLOADED)
        self.__values, self.__paths = {}, {}
        self.__lock, self.__owner = RLock(), os.getpid()

    def __alone(self):
        """The lock of this process: another thread may have held its parent's at the fork."""
        if self.__owner != os.getpid():
            self.__lock, self.__owner = RLock(), os.getpid()
        elif self.__lock._is_owned():
            # By a handler's own interrupted code, which cannot go on before it: they would wait for each other.
            raise RuntimeError("uploaded data cannot be used in a signal handler while it is being fetched")
        return self.__lock

    def __getitem__(self, key):
        with self.__alone():
            if key not in self.__values:
                with _Connection(self.__address) as desk:
                    known, pieces = desk.open(key)
                    is_json = known["content_type"].partition(";")[0].strip().lower() == "application/json"
                    self.__values[key] = loads(b"".join(pieces)) if is_json else self.__save(key, known["size"], pieces)
            return self.__values[key]

    def path(self, key):
        """The pathlib.Path of a file with the value's bytes."""
        with self.__alone():
            if key not in self.__paths:
                with _Connection(self.__address) as desk:
                    known, pieces = desk.open(key)
                    self.__save(key, known["size"], pieces)
            return self.__paths[key]

    def __save(self, key, size, pieces):
        if key in self.__paths:
            return self.__paths[key]
        from pathlib import Path

        os.makedirs(self.__folder, exist_ok=True)
        path = os.path.join(self.__folder, key)
        part = f"{self.__folder}/~{os.getpid()}~"
        try:
            space = os.statvfs(self.__folder)
            if size > space.f_bavail * space.f_frsize:
                raise OSError(ENOSPC, os.strerror(ENOSPC))
            with open(part, "wb") as file:
                for piece in pieces:
                    file.write(piece)
            # What is there under its name is whole, and stays: another process of the code may have fetched the same.
            os.link(part, path)
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno != ENOSPC:
                raise
            text = f"the uploaded value {key!r} of {size} bytes does not fit into what is left of the workspace"
            raise OSError(ENOSPC, text) from None
        finally:
            try:
                os.unlink(part)
            except OSError:
                pass
        self.__paths[key] = Path(path)
        return self.__paths[key]

    def get(self, key, default=None):
        try:
            return self[key]
        except KeyError:
            return default

    def __contains__(self, key):
        if key in self.__values or key in self.__paths:
            return True
        with self.__alone(), _Connection(self.__address) as desk:
            return desk.has(key)

    def keys(self):
        """The keys there are now, in order."""
        with self.__alone(), _Connection(self.__address) as desk:
            return desk.keys()

    def __iter__(self):
        return iter(self.keys())

    def __len__(self):
        return len(self.keys())

    def values(self):
        return [self[key] for key in self]

    def items(self):
        return [(key, self[key]) for key in self]

    def __repr__(self):
        return "<uploaded data: list(data) names it>"


# As an ordinary program's, where somebody looks.
Uploaded.__module__ = "builtins"


def opened(payload):
    """What a DataOpened knows of the value, and its first bytes."""
    start = KNOWN_LENGTH + int.from_bytes(payload[:KNOWN_LENGTH], "big")
    return loads(payload[KNOWN_LENGTH:start]), payload[start:]


class _Connection:
    def __init__(self, address):
        self.address = address

    def __enter__(self):
        self.socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
        self.socket.settimeout(None)  # whatever the code has made the default
        self.socket.connect(self.address)
        return self

    def __exit__(self, *_):
        try:
            # A process that was forked meanwhile has it open too.
            self.socket.shutdown(SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def has(self, key):
        return self.ask_for(key, "find") is not None

    def open(self, key):
        """What is known of the value, and all its bytes in pieces."""
        answer = self.ask_for(key, "open")
        if answer is None:
            raise KeyError(key)
        known, start = opened(answer)
        return known, self.pieces(known["size"], start)

    def ask_for(self, key, op):
        """The payload of an answer that tells of the value, or None if there is none."""
        if type(key) is not str or len(key) > LONGEST_KEY:
            return None
        kind, answer = self.ask({"op": op, "key": key})
        if kind != DATA_OPENED and (found := loads(answer)["is"]) != "value":
            if found == "missing":
                return None
            raise _unreadable()
        return answer

    def pieces(self, left, piece):
        """`piece`: the first of `left` bytes."""
        yield piece
        while left := left - len(piece):
            kind, piece = self.ask({"op": "read"})
            if kind != DATA_CHUNK or not piece:
                raise _unreadable()
            yield piece

    def keys(self):
        keys, more = [], True
        while more:
            answer = loads(self.ask({"op": "list", "after": keys[-1] if keys else None})[1])
            keys += answer["keys"]
            more = answer["more"]
        return keys

    def ask(self, request):
        request = dumps(request)
        self.socket.sendall(len(request).to_bytes(LENGTH, "big") + request)
        kind, length = HEADER.unpack(self.receive(HEADER.size))
        return kind, self.receive(length)

    def receive(self, size):
        data = bytearray(size)
        view = memoryview(data)
        while view:
            count = self.socket.recv_into(view)
            if not count:
                raise _unreadable()
            view = view[count:]
        return data


def _unreadable():
    return OSError("uploaded data cannot be read: the service has failed to")
