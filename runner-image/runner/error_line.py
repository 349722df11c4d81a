"""An exception as one line, whatever its class does in __str__."""

LIMIT = 1024  # bytes of UTF-8


def error_line(error):
    """`ZeroDivisionError: division by zero`: the last line of the traceback, clipped to 1 KiB."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    try:
        message = str(error)
    except BaseException:
        message = "<exception str() failed>"
    # Clipped before it is split: a message may be a gigabyte.
    message = " ".join(message[:2 * LIMIT].split())
    return clip_utf8(f"{name}: {message}" if message else name, LIMIT)


def clip_utf8(text, limit):
    """At most `limit` bytes of valid UTF-8, an ellipsis for what was cut; lone surrogates become question marks."""
    encoded = text[:limit + 1].encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    return encoded[:limit - 3].decode("utf-8", "ignore") + "…"
