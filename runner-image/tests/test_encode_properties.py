"""Properties of the encoder over random values: what JSON can say comes back equal, what fights back costs itself alone."""

import collections
import datetime
import decimal
import json
import pathlib
import random
import signal
import unittest

import support
from encode import json_text
from test_encode import encoded

LETTERS = "ab \"\\/\n\t\0\x7f\x80éß\u0130\u2028\ufeff\ufffd\ud7ff\ue000\uffff😀𝔘\U0010ffff"


def text(rng):
    return "".join(rng.choices(LETTERS, k=rng.choice((0, 1, 2, 5, 40))))


def number(rng):
    return rng.choice((
        lambda: rng.randint(-10, 10), lambda: rng.getrandbits(53), lambda: -rng.getrandbits(64), lambda: rng.getrandbits(3000),
        lambda: rng.random(), lambda: -0.0, lambda: 5e-324, lambda: 1.7976931348623157e308, lambda: rng.uniform(-1e30, 1e30),
        lambda: float(rng.randint(-3, 3)), lambda: 10.0 ** rng.randint(-300, 300)))()


def json_value(rng, depth=5):
    kind = rng.random()
    if depth == 0 or kind < 0.5:
        return rng.choice((text(rng), number(rng), number(rng), True, False, None))
    length = rng.choice((0, 1, 2, 3, 8))
    if kind < 0.75:
        return [json_value(rng, depth - 1) for _ in range(length)]
    return {text(rng): json_value(rng, depth - 1) for _ in range(length)}


def exact(value):
    """For comparing: 1, 1.0 and True are different, and so are 0.0 and -0.0."""
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    return [exact(item) for item in value] if isinstance(value, list) else (type(value), repr(value))


class Json(support.RunnerTest):
    def test_any_json_value_that_is_sent_comes_back_equal(self):
        for seed in range(3):
            rng = random.Random(seed)
            values = [json_value(rng) for _ in range(300)]
            deep = 1
            for _ in range(97):
                deep = [deep] if rng.random() < 0.5 else {"": deep}
            answer = self.result_of("alone, nested, table = values[0], deep, [{'v': value} for value in values]",
                                    input={"values": values, "deep": deep})
            self.assertEqual(exact(answer), exact({"alone": values[0], "nested": deep, "table": [{"v": v} for v in values]}))

    def test_long_ones_too(self):
        rng = random.Random(7)
        values = {"list": [json_value(rng, 1) for _ in range(5000)], "object": {f"{i} {text(rng)}": number(rng) for i in range(5000)},
                  "mixed": {f"{i}": json_value(rng, 2) for i in range(3000)}, "text": text(rng) * 10_000}
        answer = self.result_of("copies = dict(values)", input={"values": values})
        self.assertEqual(exact(answer["copies"]), exact(values))


class TooSlow(BaseException):
    pass


def hostile(rng, shared):
    """An object of a random class that overrides random methods with something that fails, lies, never ends or meddles."""
    def fail(*args):
        raise rng.choice((ValueError, SystemExit, RecursionError, StopIteration, AttributeError))

    def endless(*args):
        while True:
            yield "x" * rng.choice((1, 1000))

    def meddle(*args):
        shared.clear()
        return "x"

    behaviours = (fail, endless, meddle, lambda *args: args[0], lambda *args: -1, lambda *args: 10**12, lambda *args: "x" * 10**6,
                  lambda *args: [("a", 1)] * 3, lambda *args: None, lambda *args: float("nan"), lambda *args: Text("\"\ud800"))
    base = rng.choice(BASES)
    names = ["__repr__", "__str__", "__iter__", "__len__", "__getitem__", "__hash__", "__eq__", "__lt__", "__bool__", "__class__",
             "__dict__", "__getattr__", "__getattribute__", "__index__", "__float__", "__dir__", "__next__", "keys", "items",
             "values", "isoformat", "tolist", "_fields", "_value_", "data", "dtype", "columns", "shape", "view", "nnz"]
    members = {name: rng.choice((lambda f: f, property))(rng.choice(behaviours)) for name in rng.sample(names, rng.randint(1, 12))}
    if rng.random() < 0.2:
        members["__slots__"] = () if base is not object else ("a", "b", "_c")
    kind = type(base)("Hostile", (base,), members)
    spoofed = (lambda: setattr(kind, "__module__", rng.choice(("numpy", "pandas", "polars", "scipy", "networkx", "enum", "", 5, None))),
               lambda: setattr(kind, "__qualname__", rng.choice(("ndarray", "DataFrame", "Series", "generic", "_spbase", "Graph", "Enum"))),
               lambda: delattr(kind, "__module__"), lambda: setattr(kind, "__qualname__", Text("int")),
               lambda: setattr(kind, "__slots__", endless()), lambda: setattr(kind, "_fields", ("a", "a", 1)),
               lambda: setattr(kind, "__dataclass_fields__", {1: 2, "a": None}))
    for spoof in rng.sample(spoofed, rng.randint(0, 3)):
        try:
            spoof()
        except (TypeError, AttributeError):
            pass
    try:
        value = base.__new__(kind, *ARGUMENTS.get(base, ()))
        if rng.random() < 0.5:
            object.__getattribute__(value, "__dict__").update({"public": 1, "nested": [value], "\udc00": 2, 5: 6})
    except BaseException:
        value = object()
    return value


class Text(str):
    def __hash__(self):
        raise ValueError

    __eq__ = __str__ = __repr__ = __len__ = __hash__


BASES = (object, list, dict, str, int, float, tuple, set, frozenset, bytes, bytearray, complex, datetime.datetime, datetime.date,
         datetime.timedelta, decimal.Decimal, pathlib.PurePosixPath, collections.OrderedDict, collections.deque, collections.UserDict,
         collections.UserList, collections.Counter, collections.abc.Mapping, collections.abc.Sequence, collections.abc.Set,
         collections.abc.ValuesView, Exception)
ARGUMENTS = {datetime.datetime: (2020, 1, 2), datetime.date: (2020, 1, 2), tuple: ((1, 2),), str: ("text",), int: (5,)}


def nest(rng, value, shared):
    for _ in range(rng.randint(0, 3)):
        padding = [rng.choice((1, "a", None, 1.5, float("nan")))] * rng.choice((0, 1, 3000))
        value = rng.choice((
            lambda: [*padding, value, *padding], lambda: (value, value), lambda: {"a": 1, "b": value, 3: padding},
            lambda: collections.deque([value]), lambda: {"a": value, None: shared}, lambda: shared.extend([value, *padding]) or shared,
            lambda: collections.UserList([value])))()
    return value


class HostileObjects(unittest.TestCase):
    def test_the_answer_is_json_or_an_exception(self):
        def too_slow(*args):
            raise TooSlow

        previous = signal.signal(signal.SIGALRM, too_slow)
        self.addCleanup(signal.signal, signal.SIGALRM, previous)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        encoded_ones = 0
        for seed in support.seeds(3000):
            rng, shared = random.Random(seed), []
            value = nest(rng, hostile(rng, shared), shared)
            signal.setitimer(signal.ITIMER_REAL, 1)
            try:
                answer = json_text(value, 100_000)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                continue
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            with self.subTest(seed=seed):
                json.loads(answer.decode(), parse_constant=support.refuse)
                self.assertLessEqual(len(answer), 100_000)
            encoded_ones += 1
        self.assertGreater(encoded_ones, 500)

    def test_a_container_that_shrinks_meanwhile(self):
        class Clears:
            def __init__(self, *containers):
                self._containers = containers

            def __repr__(self):
                for container in self._containers:
                    container.clear()
                return "cleared"

        items = []
        items += [Clears(items), *range(5000)]
        self.assertEqual(encoded(items)[0], "cleared")
        self.assertEqual(len(encoded(items)), 0)
        pairs = {}
        pairs |= {"a": Clears(pairs), "b": 1}
        self.assertEqual(encoded(pairs), {"a": "cleared", "b": 1})

    def test_keys_that_are_the_same_only_as_valid_text(self):
        self.assertEqual(encoded({"\ud800": 1, "\ud801": 2}), {"\ufffd": 2})
        self.assertEqual(json_text({"\ud800": 1, "\ud801": 2}), '{"\ufffd":2}'.encode())


class Results(support.RunnerTest):
    def test_no_class_ends_the_collecting(self):
        answer = self.run_code(CLASSES)
        self.assertEqual(answer.status, "ok", answer.stderr)
        self.assertEqual((answer.result["first"], answer.result["last"]), (1, 2))
        self.assertEqual(set(answer.result) | {entry["name"] for entry in answer.omitted},
                         {"first", "last", "nameless", "text", "slots", "endless", "rootless", "spoofed"})


CLASSES = """
from collections.abc import Mapping
first = 1
class Text(str):
    def __hash__(self): raise ValueError
    __eq__ = __hash__
class B: pass
class C: __slots__ = ("a",)
class D(Mapping):
    def __iter__(self):
        while True: yield object()
    def __len__(self): return 1
    def __getitem__(self, key): return "x" * 1000
class Root(type):
    whole = True
    def mro(cls): return type.mro(cls) if Root.whole else [cls]
class E(C, metaclass=Root): pass
class F:
    def __getattribute__(self, name):
        while True: pass
    dtype = flat = property(lambda self: 1 / 0)
B.__qualname__ = Text("b")
def _forever():
    while True: yield "a"
F.__module__, F.__qualname__ = "numpy", "ndarray"
nameless = eval("type('A', (), {})()", {})
text, slots, endless, rootless, spoofed = B(), C(), D(), E(), F()
Root.whole = False
E.__bases__ = (type("C", (), {"__slots__": ("a",)}),)
C.__slots__ = _forever()
last = 2
"""
