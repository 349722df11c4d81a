"""The inputs as they came: what the code leaves of them is a result only where it has changed."""

from marshal import dumps

from namespace import variable_of
from plain_json import loads
from request_files import fingerprint

# A version of marshal's format in which the same value is always the same bytes.
WITHOUT_REFERENCES = 2
# Bytes that are no longer than their fingerprint: of many small inputs the digests would be most of the work.
SHORT = 64


class Inputs:
    """Made before the code runs, which may change every value. Kept are fingerprints, and the text for a closer look."""

    def __init__(self, values, text):
        """`values`: the inputs by their keys; `text`: the JSON that they came as."""
        self.text = text
        self.order = _fingerprint(list(values))
        self.fingerprints = {key: _fingerprint(value) for key, value in values.items()}
        self.keys = {name: key for key in values if (name := variable_of(key)) is not None}  # of the variables
        self.now = {}

    def __contains__(self, name):
        return name in self.keys or name == "input_data"

    def look_at(self, variables):
        """`variables`: [(name, value)] that the code has left. Kept are ids alone: a reference of ours would keep finalizers from
        running."""
        self.now = {self.keys[name]: id(value) for name, value in variables if name in self.keys}

    def is_same(self, name, value):
        """Whether it is as it came, exact types all the way down; False too if only a closer look can tell. Runs no code of theirs."""
        if name != "input_data":
            return self._is_known(self.keys[name], value)
        return type(value) is dict and self.order == _fingerprint(list(value)) is not None and all(
            self._is_variable(key, item) or self._is_known(key, item) for key, item in value.items())

    def closer(self, name, value):
        """(as it came, as it is now), to be compared. `input_data` as if the inputs that it shares with variables were as they
        came: those tell of themselves."""
        values = loads(self.text)
        if name != "input_data":
            return values[self.keys[name]], value
        if type(value) is dict:
            value = {key: values[key] if key in values and self._is_variable(key, item) else item for key, item in value.items()}
        return values, value

    def _is_known(self, key, value):
        known = self.fingerprints[key]
        return known is not None and known == _fingerprint(value)

    def _is_variable(self, key, value):
        return self.now.get(key) == id(value)


def _fingerprint(value):
    try:
        dumped = dumps(value, WITHOUT_REFERENCES)
    except ValueError:
        return None
    return dumped if len(dumped) <= SHORT else fingerprint(dumped)
