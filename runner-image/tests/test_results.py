"""Results that fight back, through the whole runner: each costs its own name at most."""

from support import RunnerTest


class Hostile(RunnerTest):
    def assert_omitted(self, answer, **reasons):
        self.assertEqual(answer.status, "ok", answer.stderr)
        omitted = {entry["name"]: entry["reason"] for entry in answer.omitted}
        self.assertEqual(set(omitted), set(reasons))
        for name, reason in reasons.items():
            self.assertIn(reason, omitted[name])

    def test_each_on_its_own(self):
        answer = self.run_code(HOSTILE, timeout=30)
        self.assert_omitted(answer, raises="ValueError", exits="SystemExit", number="TypeError", loop="itself", deep="100 levels",
                            huge="result limit of 8 MiB", swallows="too long", sleeps="too long")
        self.assertEqual(answer.result, {"items": [1, 2], "pairs": {"x": 1}, "last": "here"})

    def test_an_exception_that_cannot_be_described_costs_its_own_name(self):
        answer = self.run_code(ENDLESS, timeout=20)
        self.assert_omitted(answer, x="Endless", y="")
        self.assertEqual(answer.result, {"a": 1, "b": 2, "c": 3})

    def test_what_a_value_does_to_the_interpreter_is_undone_before_the_next(self):
        for sabotage in ("vars(builtins).clear()", "builtins.set = builtins.len = None", "sys.setrecursionlimit(60)",
                         "sys.set_int_max_str_digits(640)", "sys.settrace(print)", "sys.setprofile(1)",
                         "signal.signal(14, signal.SIG_IGN); signal.pthread_sigmask(0, range(1, 65))",
                         "signal.signal(12, lambda *a: 1 / 0); signal.raise_signal(12)"):
            code = (f"import builtins, signal, sys\nclass Key(str):\n def __repr__(self): {sabotage}; return 'x'\n"
                    "class Bad:\n def __repr__(self): return Key.__repr__(Key())\n"
                    "a = Bad()\nnested = []\nfor i in range(50): nested = [nested]\nlarge = 10 ** 2000\nb = {1: 2}\nBad()")
            answer = self.run_code(code, timeout=20)
            self.assertEqual((answer.status, answer.error), ("ok", None), (sabotage, answer.stderr))
            self.assertEqual(answer.result["b"], {"1": 2}, sabotage)
            self.assertIn("large", answer.result, sabotage)
            self.assertIn("nested", answer.result, sabotage)

    def test_names_after_one_that_is_too_large_are_still_there(self):
        answer = self.run_code("a = 'x' * 2000\nb = list(range(10**6))\nc = [[0] * 1000] * 1000\nr = range(10**15)\nd = 1",
                               result_limit=1000)
        self.assert_omitted(answer, a="limit of 1000 bytes", b="limit", c="limit", r="limit")
        self.assertEqual(answer.result, {"d": 1})

    def test_the_limit_is_exact(self):
        self.assertEqual(self.run_code("a = 'x' * 10", result_limit=18).result_size, 18)
        self.assert_omitted(self.run_code("a = 'x' * 10", result_limit=17), a="result limit of 17 bytes")

    def test_a_sabotaged_interpreter(self):
        answer = self.run_code(SABOTAGE)
        self.assertEqual((answer.status, answer.result), ("ok", {"x": [1, {"a": [1, 2]}]}), answer.stderr)

    def test_tracing_and_tiny_limits(self):
        for code in ("import sys\ndef t(f, e, a): raise ValueError\nx = 1\nsys.setprofile(t)",
                     "import sys\ndef t(f, e, a):\n if f.f_code.co_filename != 'main.py': raise ValueError\nsys.settrace(t)\nx = 1",
                     "import sys\nx = 1\nsys.setrecursionlimit(60)",
                     "import signal\ndef h(*a): raise ValueError\nx = 1\nsignal.signal(14, h)\nsignal.setitimer(0, .0001, .0001)"):
            answer = self.run_code(code)
            if answer.status == "ok":
                self.assertEqual(answer.result, {"x": 1})
            else:  # the handler went off while user code still ran
                self.assertEqual(answer.error, "ValueError")

    def test_a_name_without_a_character_is_a_name(self):
        self.assertEqual(self.result_of("globals().update({'': 1, 'a': 2})"), {"": 1, "a": 2})

    def test_of_names_that_become_the_same_text_one_is_there_and_the_others_are_named(self):
        answer = self.run_code("for name in '\\ud800\\ud801\\ufffd': globals()[name] = 1\ndel name")
        self.assertEqual(answer.result, {"\ufffd": 1})
        self.assert_omitted(answer, **{"?": "another name is the same", "\ufffd": "another name is the same"})

    def test_a_module_whose_class_is_hostile_has_its_names_all_the_same(self):
        for hostile in ("def __getattribute__(self, name): raise RuntimeError", "__dict__ = property(lambda self: 1 / 0)"):
            code = f"import sys, types\nclass Bad(types.ModuleType):\n {hostile}\nsys.modules['__main__'].__class__ = Bad\nx = 5"
            self.assertEqual(self.result_of(code), {"x": 5})

    def test_scribbling_over_the_report_is_a_crash(self):
        for action in ("m[:] = b'\\xff' * len(m); os._exit(0)", "m.close()"):
            answer = self.run_code(FIND_REPORT.format(action))
            self.assertEqual((answer.status, answer.result), ("crashed", None))

    def test_a_flood_of_records_that_nothing_writes_is_a_crash_and_soon_one(self):
        end = """json = b'{"status":"ok","exit_code":0,"error":null,"execution_time":0.5}'
        import struct, signal
        record = struct.pack('<II', 1, len(json)) + json
        flood = %s
        m[16:16 + len(record) + len(flood)] = record + flood
        m[:16] = struct.pack('<QQ', 16 + len(record) + len(flood), 2)
        os.kill(os.getppid(), signal.SIGUSR1)
        signal.pause()"""
        for flood in ("struct.pack('<II', 1, 0) * 4_000_000", "struct.pack('<II', 2, 0) * 4_000_000"):
            answer = self.run_code(FIND_REPORT.format(end % flood))
            self.assertEqual((answer.status, answer.result), ("crashed", None))
            self.assertLess(answer.usage["wall_time"], 5)

    def test_many_omitted_names_are_counted(self):
        answer = self.run_code("for i in range(1000):\n globals()[f'n{i}'] = l = []\n l.append(l)\ndel l")
        self.assertEqual(len(answer.omitted), 201)
        self.assertEqual(answer.omitted[-1], {"name": "*", "reason": "800 more names were left out"})


HOSTILE = """
import time
class Raises:
    def __repr__(self): raise ValueError
    @property
    def __class__(self): raise ValueError
    def __getattr__(self, name): raise ValueError
class Exits:
    def __repr__(self): raise SystemExit
class Number:
    def __repr__(self): return 5
class Huge:
    def __repr__(self): return "x" * (1 << 25)
class Swallows:
    def __repr__(self):
        while True:
            try:
                while True: pass
            except BaseException: pass
class Sleeps:
    def __repr__(self): time.sleep(100)
class Items(list):
    def __iter__(self):
        while True: yield 1
    def __len__(self): return 10**9
    def __getitem__(self, index): return 1
class Pairs(dict):
    def items(self): raise ValueError
    __iter__ = keys = values = __len__ = items
raises, exits, number, huge, swallows, sleeps = Raises(), Exits(), Number(), Huge(), Swallows(), Sleeps()
loop = []
loop.append(loop)
deep = []
for _ in range(100_000): deep = [deep]
items, pairs = Items([1, 2]), Pairs(x=1)
last = "here"
"""

SABOTAGE = """
import builtins, json, os, signal, sys
x = [1, {"a": (1, 2)}]
json.dumps = json.loads = json.encoder.c_make_encoder = None
os.getpid = os.kill = os._exit = None
signal.signal(signal.SIGPROF, lambda *_: None)
signal.setitimer(signal.ITIMER_PROF, .001, .001)
sys.modules.clear()
_delete, _names = delattr, list(vars(builtins))
for _name in _names: _delete(builtins, _name)
"""

FIND_REPORT = """
import gc, os
gc.unfreeze()
for o in gc.get_objects():
    if type(o).__name__ == "Report":
        m = o.memory
        {}
"""

ENDLESS = """
class Endless(Exception):
    def __str__(self):
        while True: pass

class Raises:
    def __repr__(self): raise Endless

from collections.abc import Sequence

class Closing(Sequence):
    def __len__(self): return 9
    def __getitem__(self, at): return at
    def __iter__(self):
        try:
            while True: yield Raises()
        finally:
            while True: pass

a = 1
x = Raises()
b = 2
y = Closing()
c = 3
"""
