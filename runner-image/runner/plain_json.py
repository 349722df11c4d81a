"""JSON by the C parts of the json package alone: the package itself draws in `re` and `enum`, 10 ms in every container."""

from _json import encode_basestring, make_encoder, make_scanner

SPACE = " \t\r\n"


def _refuse(constant):
    raise ValueError(f"{constant} is not JSON")


class _Options:
    """What the C scanner asks its maker for."""

    strict, object_hook, object_pairs_hook, parse_float, parse_int, parse_constant = True, None, None, float, int, _refuse


_scan = make_scanner(_Options)
# For lists and dicts of exact plain types; no NaN or infinity, text as it is.
encode_flat = make_encoder(None, None, encode_basestring, None, ":", ",", False, False, False)


def loads(text):
    """The value of JSON text or its UTF-8. ValueError if it is none, RecursionError if it is too deep."""
    if not isinstance(text, str):
        text = str(text, "utf-8")
    try:
        value, end = _scan(text, len(text) - len(text.lstrip(SPACE)))
    except StopIteration as error:
        raise ValueError(f"expected a value at character {error.value}") from None
    except SystemError:  # up to Python 3.12, whose scanner has no error to raise while json.decoder is not imported
        raise ValueError("not JSON") from None
    if text[end:].strip(SPACE):
        raise ValueError(f"something follows the value at character {end}")
    return value


def dumps(value):
    """Compact UTF-8; lone surrogates become question marks."""
    return "".join(encode_flat(value, 0)).encode("utf-8", "replace")
