"""Own exceptions, chains, groups, notes, finally."""
from contextlib import ExitStack, contextmanager, suppress


class ConfigError(Exception):
    pass


events = []


@contextmanager
def resource(name):
    events.append(f"open {name}")
    try:
        yield name
    finally:
        events.append(f"close {name}")


def load(text):
    try:
        return int(text)
    except ValueError as error:
        raise ConfigError(f"bad number {text!r}") from error


try:
    with ExitStack() as stack:
        for name in "ab":
            stack.enter_context(resource(name))
        load("x1")
except ConfigError as error:
    error.add_note("in line 7")
    print(repr(error), repr(error.__cause__), error.__notes__)

failures = []
for text in ("1", "two", "3.5"):
    try:
        load(text)
    except ConfigError as error:
        failures.append(error)
caught = []
try:
    raise ExceptionGroup("all of it", [*failures, TypeError("other")])
except* ConfigError as group:
    caught += map(str, group.exceptions)
except* TypeError as group:
    caught.append(type(group.exceptions[0]).__name__)
with suppress(ZeroDivisionError):
    1 / 0
print(events, caught, sep="\n")
del failures, stack, text, name
