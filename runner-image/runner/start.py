"""From the child to the parent: the request is whole, the code starts now. The child is still ours then.

    [u32 length of the limits][u32 length of the leftover][u64 length of stdin] limits and the like as JSON, leftover, stdin

All lengths 0, before it: now would be the time for a rehearsal.
"""

import os
from _struct import Struct

from channel import READ_SIZE
from plain_json import dumps, loads

_LENGTHS = Struct(">IIQ")
LIMITS = "timeout", "output_limit", "files_limit", "max_output_files", "given"


class Start:
    def __init__(self, limits, leftover, stdin):
        self.timeout = limits["timeout"]  # seconds of wall clock
        self.output_limit = limits["output_limit"]  # bytes of stdout, and of stderr
        self.files_limit = limits["files_limit"]  # bytes of all files that come back
        self.max_output_files = limits["max_output_files"]
        self.given = limits["given"]  # {path: fingerprint} of the request's files
        self.leftover = leftover  # what of the conversation the child had read beyond the request
        self.stdin = stdin  # what the code reads from its standard input


def say_start(writer, execution, leftover):
    limits = dumps({name: getattr(execution, name) for name in LIMITS})
    message = memoryview(_LENGTHS.pack(len(limits), len(leftover), len(execution.stdin)) + limits + leftover + execution.stdin)
    while message:
        message = message[os.write(writer, message):]


def ask_for_rehearsal(writer):
    os.write(writer, _LENGTHS.pack(0, 0, 0))


def await_start(reader, rehearse):
    """The Start, or None if the child ended without one."""
    data = bytearray()
    at = _LENGTHS.size
    while True:
        # One read may bring the call for the rehearsal and the start: this process may have got no processor for that long.
        while len(data) >= at:
            limits, leftover, stdin = _LENGTHS.unpack_from(data)
            end = at + limits + leftover + stdin
            if limits == 0:
                del data[:at]
                rehearse()
            elif len(data) >= end:
                leftover_at = at + limits
                stdin_at = leftover_at + leftover
                return Start(loads(data[at:leftover_at]), bytes(data[leftover_at:stdin_at]), bytes(data[stdin_at:end]))
            else:
                break
        chunk = os.read(reader, READ_SIZE)
        if not chunk:
            return None
        data += chunk
