"""Time spans as ISO 8601 durations."""

_UNITS = (("D", 86_400_000_000_000), ("H", 3_600_000_000_000), ("M", 60_000_000_000))
_SECOND = 1_000_000_000


def iso_duration(nanoseconds):
    """`P1DT2H3M4.5S`; parts that are zero are left out, zero itself is `PT0S`, negative ones start with a minus sign."""
    rest, parts = abs(nanoseconds), {}
    for letter, size in _UNITS:
        parts[letter], rest = divmod(rest, size)
    seconds, fraction = divmod(rest, _SECOND)
    time = "".join([f"{parts[letter]}{letter}" for letter in "HM" if parts[letter]])
    if fraction:
        time += f"{seconds}.{fraction:09}".rstrip("0") + "S"
    elif seconds or not (time or parts["D"]):
        time += f"{seconds}S"
    days = f"{parts['D']}D" if parts["D"] else ""
    return f"{'-' if nanoseconds < 0 else ''}P{days}{'T' + time if time else ''}"
