"""The names that the code left, as members of the result."""

import encode_builtins  # noqa: F401  fills the encoder's tables
import encode_libraries  # noqa: F401
from encode import NotEncodable, TooLarge, json_text
from report import MEMBER
from size_text import too_large


class Result:
    def __init__(self, report, inputs):
        self.report = report
        self.limit = report.result_limit
        self.room = self.limit - 2
        self.inputs = inputs
        self.keys = set()  # as they are in the answer

    def jobs(self, names):
        """For the Collector. `names`: [(name, value)]."""
        self.inputs.look_at(names)
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
        if key in self.keys:
            raise NotEncodable("another name is the same as text")
        member = self.member(name, key, value)
        if member is None:
            return
        if len(member) > self.room or not self.report.append(MEMBER, member):
            raise TooLarge
        self.room -= len(member) + 1
        self.keys.add(key)

    def member(self, name, key, value):
        """`"name":value` as bytes, or None for an input that is as it came."""
        room = self.room - len(key) - 1
        if name not in self.inputs:
            return key + b":" + json_text(value, room)
        if self.inputs.is_same(name, value):
            return None
        original, current = self.inputs.closer(name, value)
        if type(original) is not type(value):
            return key + b":" + json_text(value, room)
        # An unchanged input is no result even where it would not fit, so it may be as long as it was.
        before = json_text(original)
        now = json_text(current, max(room, len(before)))
        if now == before:
            return None
        return key + b":" + (json_text(value, room) if name == "input_data" else now)
