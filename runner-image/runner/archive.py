"""Reading the request's tar: regular files, whole, in memory.

The standard library's tarfile costs 10 ms to import, more than the rest of the runner; what the control plane sends is the
plain ustar subset below. Anything else is a broken protocol, not something to be lenient about.
"""

from frames import MIB, ProtocolError

BLOCK = 512
# Twice the largest body that the control plane can be told to take.
LIMIT = 512 * MIB
REGULAR, GNU_LONG_NAME = (b"0", b"\0"), b"L"


def read_archive(data):
    """{path: content} of a whole tar stream. Raises ProtocolError."""
    files, offset, long_name = {}, 0, None
    while (header := data[offset:offset + BLOCK]).strip(b"\0"):
        if len(header) < BLOCK or _checksum(header) != _number(header[148:156]):
            raise ProtocolError("the archive is damaged")
        size, kind = _number(header[124:136]), header[156:157]
        start = offset + BLOCK
        content = data[start:start + size]
        if len(content) < size:
            raise ProtocolError("the archive ends inside a file")
        if kind == GNU_LONG_NAME:
            long_name = _text(content)
        elif kind in REGULAR:
            files[long_name or _path(header)] = content
            long_name = None
        else:
            raise ProtocolError(f"the archive holds an entry of type {kind!r}")
        offset = start + (size + BLOCK - 1) // BLOCK * BLOCK
    return files


def _path(header):
    name, prefix = _text(header[0:100]), _text(header[345:500])
    # In GNU headers the same bytes hold time stamps; only the POSIX magic makes them a prefix.
    return f"{prefix}/{name}" if prefix and header[257:263] == b"ustar\0" else name


def _text(field):
    try:
        return field.split(b"\0", 1)[0].decode()
    except UnicodeDecodeError:
        raise ProtocolError("the archive holds a path that is not UTF-8") from None


def _number(field):
    digits = field.strip(b" \0") or b"0"
    # Not all that int() takes: a size below nothing would lead back to the same entry, for ever.
    if digits.strip(b"01234567"):
        raise ProtocolError("the archive holds a number that is not octal")
    return int(digits, 8)


def _checksum(header):
    # The sum is taken with its own field as blanks.
    return sum(header) - sum(header[148:156]) + 8 * ord(" ")
