"""An exception as one line, whatever its class does in __str__ and however it is called."""

# The code may have emptied the module.
from builtins import BaseException, len, slice, str, type

from type_names import full_name

LIMIT = 1024  # bytes of UTF-8


def error_line(error):
    """`ZeroDivisionError: division by zero`: the last line of the traceback, clipped to 1 KiB."""
    name = _line(full_name(type(error)))
    try:
        message = _line(str(error))
    except BaseException:
        message = "<exception str() failed>"
    return clip_utf8(f"{name}: {message}" if message else name, LIMIT)


def _line(text):
    # Clipped before it is split: a message may be a gigabyte. What __str__ gives may be of a class of its own.
    return " ".join(str.__getitem__(text, slice(2 * LIMIT)).split())


def clip_utf8(text, limit):
    """At most `limit` bytes of valid UTF-8, an ellipsis for what was cut; lone surrogates become question marks."""
    encoded = text[:limit + 1].encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    return encoded[:limit - 3].decode("utf-8", "ignore") + "…"
