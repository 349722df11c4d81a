"""The frame codec: kind (1 byte), payload length (4 bytes, big endian), payload.

Kinds and caps are those of crates/protocol/PROTOCOL.md. A length is checked against its kind's cap before a byte of the
payload is waited for, so a hostile length never becomes an allocation.
"""

from _struct import Struct

PRELOAD, EXECUTE, ARCHIVE, ARCHIVE_END, CANCEL, DATA, DATA_CHUNK, DATA_OPENED = range(0x01, 0x09)
READY, PRELOADED, STDOUT, STDERR, RESULT, FINISHED, STARTED = 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87
FIGURE, FILE, DISPLAY, DATA_REQUEST, REHEARSED = 0x88, 0x89, 0x8A, 0x8B, 0x8C

KIB, MIB = 1024, 1024 * 1024

CONTROL_PLANE_CAPS = {
    PRELOAD: 4 * KIB,
    EXECUTE: 64 * KIB,
    ARCHIVE: MIB,
    ARCHIVE_END: 0,
    CANCEL: 0,
    DATA: MIB,
    DATA_CHUNK: MIB,
    DATA_OPENED: MIB,
}

# The caps of Result, Figure and Display are those the runner was started with; report.py keeps to them.
RUNNER_CAPS = {
    READY: 4 * KIB,
    PRELOADED: 4 * KIB,
    STDOUT: 64 * KIB,
    STDERR: 64 * KIB,
    RESULT: 0xFFFFFFFF,
    FINISHED: MIB,
    STARTED: 0,
    FIGURE: 0xFFFFFFFF,
    FILE: MIB,
    DISPLAY: 0xFFFFFFFF,
    DATA_REQUEST: 4 * KIB,
    REHEARSED: 0,
}

HEADER = Struct(">BI")


class ProtocolError(Exception):
    """The other side broke the contract; the conversation ends."""


def encode_frame(kind, payload=b""):
    """One frame as bytes. Exceeding a cap is a defect of ours, so it is loud."""
    return encode_header(kind, len(payload)) + payload


def encode_header(kind, length):
    if length > RUNNER_CAPS[kind]:
        raise ValueError(f"a payload of {length} bytes exceeds the cap of frame kind {kind:#04x}")
    return HEADER.pack(kind, length)


class Decoder:
    """Cuts a byte stream into frames; `caps` says which kinds this direction knows."""

    def __init__(self, caps=CONTROL_PLANE_CAPS):
        self.caps = caps
        self.buffer = bytearray()

    def feed(self, data):
        self.buffer += data

    def next_frame(self):
        """(kind, payload) of the next whole frame, or None until more bytes come. Raises ProtocolError."""
        if not self.buffer:
            return None
        kind = self.buffer[0]
        if kind not in self.caps:
            raise ProtocolError(f"unknown frame kind {kind:#04x}")
        if len(self.buffer) < HEADER.size:
            return None
        _, length = HEADER.unpack_from(self.buffer)
        if length > self.caps[kind]:
            raise ProtocolError(f"frame kind {kind:#04x} claims {length} bytes, its cap is {self.caps[kind]}")
        end = HEADER.size + length
        if len(self.buffer) < end:
            return None
        payload = bytes(self.buffer[HEADER.size:end])
        del self.buffer[:end]
        return kind, payload
