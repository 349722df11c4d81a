"""The names that the code left, as members of the result."""

from marshal import dumps

import encode_builtins  # noqa: F401  fills the encoder's tables
import encode_libraries  # noqa: F401
from encode import NotEncodable, TooLarge, json_text
from plain_json import loads
from report import MEMBER
from size_text import too_large


# A version of marshal's format in which the same value is always the same bytes.
WITHOUT_REFERENCES = 2


class Result:
    def __init__(self, report, input_json):
        self.report = report
        self.limit = report.result_limit
        self.room = self.limit - 2
        self.inputs = loads(input_json)
        self.inputs["input_data"] = dict(self.inputs)

    def jobs(self, names):
        """For the Collector. `names`: [(name, value)]."""
        # Ids alone: a reference of ours would keep finalizers from running.
        self.variables = {name: id(value) for name, value in names if name in self.inputs}
        return [(name, self.job(name, value)) for name, value in names]

    def job(self, name, value):
        def encode():
            try:
                self.take(name, value)
            except TooLarge:
                raise NotEncodable(too_large("result", self.limit, self.room == self.limit - 2)) from None

        return encode

    def take(self, name, value):
        key = json_text(name, self.room)
        member = self.member(name, key, value)
        if member is None:
            return
        if len(member) > self.room or not self.report.append(MEMBER, member):
            raise TooLarge
        self.room -= len(member) + 1

    def member(self, name, key, value):
        """`"name":value` as bytes, or None for an input that is as it came."""
        room = self.room - len(key) - 1
        if name not in self.inputs:
            return key + b":" + json_text(value, room)
        original = self.inputs[name]
        if type(original) is not type(value):
            return key + b":" + json_text(value, room)
        if _same_plain(original, self.apart_from_variables(name, value)):
            return None
        # An unchanged input is no result even where it would not fit, so it may be as long as it was.
        before = json_text(original)
        now = json_text(self.apart_from_variables(name, value), max(room, len(before)))
        if now == before:
            return None
        return key + b":" + (json_text(value, room) if name == "input_data" else now)

    def apart_from_variables(self, name, value):
        """`input_data` as if the inputs that it shares with variables were as they came: those tell of themselves."""
        if name != "input_data":
            return value
        original = self.inputs["input_data"]
        return {key: original[key] if key in original and self.variables.get(key) == id(item) else item
                for key, item in value.items()}


def _same_plain(one, other):
    """Whether both are the same, exact types all the way down; False too if only a closer look can tell. Runs no code of theirs."""
    try:
        return dumps(one, WITHOUT_REFERENCES) == dumps(other, WITHOUT_REFERENCES)
    except ValueError:
        return False
