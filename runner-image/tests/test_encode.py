import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import json
import pathlib
import sqlite3
import sys
import types
import unittest
import uuid

import support
import encode_builtins  # noqa: F401  fills the table
import encode_libraries  # noqa: F401
from duration import iso_duration
from encode import NotEncodable, TooLarge, json_text, unique


def encoded(value):
    """What a client gets: strict JSON, parsed."""
    return json.loads(json_text(value), parse_constant=support.refuse)


class Color(enum.IntEnum):
    RED = 1


@dataclasses.dataclass
class Point:
    x: int
    _y: list
    kind: dataclasses.InitVar[int] = 0


@dataclasses.dataclass
class Later:
    x: int = 1
    y: int = dataclasses.field(init=False)


class Slots:
    __slots__ = ("a", "b", "_c")

    def __init__(self):
        self.a, self._c = 1, 2


Pair = collections.namedtuple("Pair", "left right")


class Table(unittest.TestCase):
    def check(self, *rows):
        for value, expected in rows:
            result = encoded(value)
            self.assertEqual(result, expected)
            self.assertIs(type(result), type(expected))

    def test_plain_values(self):
        self.check((None, None), (True, True), (1, 1), (2**70, 2**70), (1.0, 1.0), ("é\n\"", "é\n\""), ("", ""),
                   (float("nan"), None), (float("-inf"), None), ([1, float("inf"), "a"], [1, None, "a"]),
                   ({"a": float("nan"), "b": 1}, {"a": None, "b": 1}))

    def test_ints_of_over_4300_digits_are_strings(self):
        sys.set_int_max_str_digits(0)
        self.addCleanup(sys.set_int_max_str_digits, 4300)
        digits = {n: str(10**n) for n in (4299, 4300, 20_000)}
        odd = str(-7**9000)
        sys.set_int_max_str_digits(4300)
        self.assertEqual(encoded(10**4299), int(digits[4299]))
        self.check((10**4300, digits[4300]), ([10**20_000, 1], [digits[20_000], 1]), ({"a": -7**9000}, {"a": odd}))

    def test_arrays(self):
        self.check(([], []), ((1, [2]), [1, [2]]), ({3, 1, 2}, [1, 2, 3]), (frozenset("ba"), ["a", "b"]), (range(3), [0, 1, 2]),
                   (collections.deque([1, "a"]), [1, "a"]), ({"a": 1}.keys(), ["a"]), ({"a": 1}.items(), [["a", 1]]),
                   (array.array("d", [1.5]), [1.5]), (list(range(5000)), list(range(5000))))
        self.assertEqual(sorted(encoded({1, "a"}), key=str), [1, "a"])

    def test_objects(self):
        self.check(({}, {}), ({"a": {"b": [1]}}, {"a": {"b": [1]}}), (collections.Counter("aab"), {"a": 2, "b": 1}),
                   (Point(1, [2]), {"x": 1, "_y": [2]}), (Pair(1, "b"), {"left": 1, "right": "b"}), (Slots(), {"a": 1}),
                   (Later(), {"x": 1}), (types.SimpleNamespace(a=1, _b=2, f=len), {"a": 1}), (types.MappingProxyType({"a": 1}), {"a": 1}),
                   (collections.UserDict(a=1), {"a": 1}), (collections.UserList([1]), [1]))

    def test_objects_of_libraries_that_are_not_known(self):
        class Model:  # as pydantic's: fields in __dict__, the rest in slots
            __slots__ = ("__dict__", "__pydantic_fields_set__")

            def __init__(self):
                self.name, self.tags, self._private = "a", [1], 2
                self.__pydantic_fields_set__ = {"name"}

        class Tensor:  # as torch's: nothing that is an attribute of the instance
            __slots__ = ()
            shape = property(lambda self: 1 / 0)

            def __repr__(self):
                return "tensor([1, 2])"

        self.check((Model(), {"name": "a", "tags": [1]}), (Tensor(), "tensor([1, 2])"), ([Tensor()], ["tensor([1, 2])"]))

    def test_keys_are_strings_and_the_last_of_equal_ones_wins(self):
        self.check(({1: "a", None: "b", True: "c", 1.5: "d", (1, 2): "e"}, {"1": "c", "null": "b", "1.5": "d", "(1, 2)": "e"}),
                   ({False: 1}, {"false": 1}), ({datetime.date(2020, 1, 2): 1, Color.RED: 2}, {"2020-01-02": 1, "1": 2}),
                   ({1: "a", "1": "b"}, {"1": "b"}), ({(Color.RED, None, b"x"): 1}, {"(1, None, b'x')": 1}), ({b"x": 1}, {"b'x'": 1}),
                   ({enum.Enum("E", {"A": "value"}).A: 1}, {"value": 1}), ({float("nan"): 1}, {"null": 1}),
                   ({float("inf"): 1, None: 2, float("-inf"): 3}, {"inf": 1, "null": 2, "-inf": 3}),
                   (dict.fromkeys(range(5000), 0), {str(n): 0 for n in range(5000)}))

    def test_mappings_sequences_and_sets_of_any_class(self):
        class Squares(collections.abc.Mapping):
            def __init__(self):
                self.length = 3

            def __iter__(self):
                return iter(range(self.length))

            def __len__(self):
                return self.length

            def __getitem__(self, key):
                return key**2

        class Letters(collections.abc.Sequence):
            def __len__(self):
                return 2

            def __getitem__(self, index):
                return "ab"[index]

        class Endless(collections.abc.Set):
            def __iter__(self):
                while True:
                    yield "x" * 100_000

            __len__ = __contains__ = None

        order = collections.OrderedDict(a=1, b=2)
        order.move_to_end("a")
        self.check((Squares(), {"0": 0, "1": 1, "2": 4}), (Squares().values(), [0, 1, 4]), (Letters(), ["a", "b"]),
                   (collections.ChainMap({"a": 1}, {"a": 2, "b": 3}), {"a": 1, "b": 3}), ({}.keys() | {1}, [1]))
        self.assertEqual(list(encoded(order)), ["b", "a"])
        with self.assertRaises(TooLarge):
            json_text(Endless(), 8 << 20)

    def test_rows_of_sqlite(self):
        database = sqlite3.connect(":memory:")
        self.addCleanup(database.close)
        database.row_factory = sqlite3.Row
        self.check((database.execute("select 1 as a, 'x' as b, 2 as a").fetchall(), [{"a": 1, "b": "x", "a.1": 2}]))

    def test_times(self):
        zone = datetime.timezone(datetime.timedelta(hours=2))
        self.check((datetime.datetime(2020, 1, 2, 3, 4, 5, 6, zone), "2020-01-02T03:04:05.000006+02:00"),
                   (datetime.date(2020, 1, 2), "2020-01-02"), (datetime.time(1, 2), "01:02:00"),
                   (datetime.timedelta(days=1, seconds=5, microseconds=500_000), "P1DT5.5S"),
                   (datetime.timedelta(days=-1), "-P1D"), (datetime.timedelta(0), "PT0S"))
        self.assertEqual(iso_duration(-(3_600 + 60) * 10**9 - 1), "-PT1H1M0.000000001S")

    def test_standard_library_scalars(self):
        self.check((decimal.Decimal("1.10"), "1.10"), (fractions.Fraction(1, 3), "1/3"),
                   (ipaddress.ip_address("1.1.1.1"), "1.1.1.1"), (ipaddress.ip_network("::/8"), "::/8"), (uuid.UUID(int=1), str(uuid.UUID(int=1))),
                   (pathlib.Path("a/b"), "a/b"), (b"abc", "YWJj"), (bytearray(b""), ""), (memoryview(b"abc"), "YWJj"),
                   (1 + 2j, "(1+2j)"), (Color.RED, 1), (enum.Enum("E", "A B").B, 2))

    def test_iterators_are_shown_and_not_consumed(self):
        generator = (i for i in range(3))
        self.assertIn("<generator", encoded(generator))
        self.assertEqual(next(generator), 0)

    def test_subclasses_are_taken_as_what_they_are(self):
        class Liar(list):
            def __iter__(self):
                raise ValueError

            __len__ = __getitem__ = __iter__

        class Text(str):
            def __str__(self):
                return "other"

        class Whole(int):
            def __repr__(self):
                return "x"

        self.check((Liar([1]), [1]), (Text("mine"), "mine"), (Whole(3), 3), ({Text("k"): Whole(1)}, {"k": 1}))

    def test_surrogates_become_valid_text(self):
        self.check(("\ud800x", "\ufffdx"), ("\ud83d\ude00", "😀"), ({"\udc00": ["\udc00"]}, {"\ufffd": ["\ufffd"]}))

    def test_names_that_become_the_same_text_are_there_once(self):
        for value in ({"\ud800": 1, "\ud801": [2]}, types.SimpleNamespace(**{"\ud800": 1, "\ud801": [2]})):
            pairs = json.loads(json_text(value), object_pairs_hook=list)
            self.assertEqual(pairs, [("\ufffd", [2])])

    def test_depth_and_cycles(self):
        nest = lambda depth: [] if depth == 1 else [nest(depth - 1)]  # noqa: E731
        self.assertEqual(encoded(nest(100)), nest(100))
        loop = {}
        loop["a"] = [loop]
        shared = [1]
        self.check(([shared, shared], [[1], [1]]))
        for value, reason in ((nest(101), "100 levels"), (loop, "refers to itself")):
            with self.assertRaisesRegex(NotEncodable, reason):
                json_text(value)

    def test_what_cannot_fit_ends_early(self):
        row = ["x" * 1000] * 1000
        for value in ("x" * 100, list(range(100)), [row] * 10**6, {"a": row}, range(10**15), 10**10**6, b"x" * 100, {"x" * 100: 1}):
            with self.assertRaises(TooLarge):
                json_text(value, 50)
        self.assertEqual(json_text("é", 4), '"é"'.encode())
        with self.assertRaises(TooLarge):
            json_text("é", 3)

    def test_repeated_names_are_numbered(self):
        self.assertEqual(unique(["a", "a.1", "a", "a", "b"]), ["a", "a.1", "a.2", "a.3", "b"])
