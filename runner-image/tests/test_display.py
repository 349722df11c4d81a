import support
import ast
from base64 import b64encode

from support import DISPLAY, RunnerTest  # puts the runner on the path

import last_line

# Up to the sizes: one pixel.
PNG_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1"


class LastLine(RunnerTest):
    """Without a process: which code has a value to show."""

    def value_of(self, code):
        compiled, _ = last_line.compile_keeping(code, "main.py") or (compile(code, "main.py", "exec"), None)
        names = {}
        exec(compiled, names)
        return last_line.take(names)

    def test_an_expression_at_the_end_is_kept(self):
        for code in ("42", "x = 1\n42\n", "42  # so\n\n  # or so\n", "x = 41; x + 1", "(\n40\n+ 2)", "(40\n  + 2\n)", "b = 42\nmax(\n1,\nb)\n", "import os; 42",
                     "def f(): return 42\nf()", "if 1:\n  y = 42\ny", "max(40,\n*[n\nfor n in [42]]\n)", "max([42,\n40\nif 1 else 2])",
                     'len("""\nimport this\n """) + 28', 'len("""\nx = 1""") + 36', "x = 42\r\nx\r\n", "dict(\na = 42)['a']", "dict(x=1,\na=42)['a']",
                     '"""text"""\n42', "from __future__ import annotations\n42", "lambda: 1\n42", "not 1\n42", "print() or 42", "print(')') or (42)", "print('(') or max(42, len(')'))",
                     "print = lambda *x: 42\nprint(1)", "print=max\nprint(42, 1)", "a, print = 1, max\nprint(42, 1)", "dict(a=42,\nb=\"(\")['a']",
                     "dict(a=')(',\nb=42)['b']", "len('ab\\\nimport') + 34", "def print(x): return 42\nprint(1)", "\ufeff42"[1:]):
            self.assertEqual(self.value_of(code), 42, code)

    def test_anything_else_is_not(self):
        for code in ("", "# 42", "x = 42", "x: int = 42", "x = 1\nx += 1", "42;", "42 ;  # quiet", "(42);", "import os", "def f(): 42",
                     "if 1:\n  42", "for x in '1':\n  x", "pass", "class A:\n  1", "del_ = 1", "'ä'; x = 1", "'ä';", "assert 1", "with open('/dev/null'): 42"):
            self.assertIs(self.value_of(code), last_line.ABSENT, code)

    def test_what_the_lines_tell_agrees_with_the_tree(self):
        for code in ("x = 1\nf(x)", "x", "f(\n)", "'''\n'''", "a = '''\nx\n'''", "for x in y:\n  f(x)", "[x\nfor x in y]", "d['a'] = 1"):
            if type(ast.parse(code).body[-1]) is ast.Expr:
                self.assertTrue(last_line.may_end_in_expression(code), code)
        # The usual ends of programs that have none cost no tree.
        for code in ("import os\nx = os.getpid()", "x = 1", "for x in y:\n  f(x)\n\n", "def f():\n  return 1\n", "x = 1\nimport os  # so", "print(x)",
                     "print(f\"{x:>{len(')')}} a\\\")\", '(')"):
            self.assertFalse(last_line.may_end_in_expression(code), code)


class Display(RunnerTest):
    def test_the_value_of_the_last_line_is_shown_as_text(self):
        answer = self.run_code("x = [1]\nx")
        self.assertEqual((answer.display, answer.result, answer.stdout), ({"text/plain": "[1]"}, {"x": [1]}, b""))
        self.assertEqual(self.run_code("'ä\\ud800'").display, {"text/plain": "'ä\\ud800'"})

    def test_nothing_is_shown_of_none_of_a_failure_and_after_a_semicolon(self):
        for code in ("None", "print(1)", "x = 1\nx;", "x = 1", "1\nraise SystemExit", "1/0", "import sys\nsys.exit(3)", ""):
            answer = self.run_code(code)
            self.assertNotIn(DISPLAY, answer.kinds, code)

    def test_html_and_png_come_with_the_text(self):
        answer = self.run_code("class A:\n def __repr__(self): return 'a'\n def _repr_html_(self): return '<b>'\n"
                               f" def _repr_png_(self): return {PNG_HEAD!r}, {{}}\nA()")
        self.assertEqual(answer.display, {"text/plain": "a", "text/html": "<b>", "image/png": b64encode(PNG_HEAD).decode()})
        # Asked of the class, as a notebook's canary does: what answers to any name has no HTML.
        answer = self.run_code("from unittest.mock import MagicMock\nclass A:\n def __getattr__(self, name): return lambda: 5\n"
                               " def __repr__(self): return 'a'\nA()")
        self.assertEqual((answer.display, answer.omitted), ({"text/plain": "a"}, []))

    def test_the_code_does_not_see_how_it_is_done(self):
        answer = self.run_code("import sys\nnames = sorted(n for n in globals() if not n.startswith('__'))\n[n for n in globals() if '<' in n]")
        self.assertEqual((answer.display, answer.result), ({"text/plain": "[]"}, {"names": ["data", "input_data", "sys"]}))

    def test_tracebacks_are_those_of_the_code_as_it_is(self):
        for last in ("f(1) + g(\n  0)", "(1 / 0).real", "'ä', {}['k'].x"):
            code = "def f(x): return x\ndef g(x):\n  return 1 / x\n" + last
            told = self.run_code(code).stderr.decode()
            self.assertIn("^", told)
            self.assertEqual(told, self.run_code(code + ";").stderr.decode().replace(";", ""), code)

    def test_syntax_errors_and_warnings_are_those_of_the_code_as_it_is(self):
        for code in ("x = (1 +\nx y", "f(x for x in y, 1)", "yield 1", "x = 1\nreturn 5\nx", "'\\d' 'x'\n1 is 1\n'\\d'"):
            told = self.run_code(code).stderr
            self.assertEqual(told, self.run_code(code + "\npass").stderr, code)
            self.assertNotIn(b"last_line", told)
        self.assertEqual(self.run_code("1 is 1").stderr.count(b"SyntaxWarning"), 1)

    def test_a_coroutine_is_no_value_and_python_warns_of_it_where_it_is_made(self):
        for code in ("async def main(): pass\nmain(\n)", "import asyncio\nasync def main(): pass\nawait main()\nmain()"):
            answer = self.run_code(code)
            line = code.count("\n", 0, code.rindex("main(")) + 1
            self.assertEqual((answer.status, answer.display), ("ok", None))
            self.assertTrue(answer.stderr.startswith(b"main.py:%d: RuntimeWarning: coroutine 'main' was never awaited\n  main(" % line), answer.stderr)
        tracer = "import sys\ndef see(frame, *about):\n if frame.f_code.co_name in ('drop_unawaited', 'take'): raise ValueError\n"
        for code in (f"{tracer}sys.settrace(see)\nx = 1\nx", f"{tracer}sys.setprofile(see)\nx = 1\nx"):
            self.assertEqual(self.run_code(code).status, "ok", code)
        answer = self.run_code("import builtins\nbuiltins.type = builtins.compile = builtins.exec = None\nx = 1\nx")
        self.assertEqual((answer.status, answer.display), ("ok", {"text/plain": "1"}))

    def test_a_long_program_shows_nothing_and_runs(self):
        code = "x = 1\n" * 40_000 + "x"
        self.assertNotIn(DISPLAY, self.run_code(code).kinds)
        self.assertEqual(self.run_code("x = 1\n" * 20_000 + "x").display, {"text/plain": "1"})

    def test_deep_expressions_run_as_ever(self):
        # How deep is the version's affair; here the tree ends earlier than the compiler.
        for depth in (100, 3000, 20_000):
            code = "x = 1\n" + "+".join(["x"] * depth)
            self.assertEqual(self.run_code(code).error, self.run_code(code + "\npass").error, depth)

    def test_hostile_values_cost_the_display_alone(self):
        for body, shown, reason in (
                ("def __repr__(self): raise ValueError('no')", None, "ValueError: no"),
                ("def __repr__(self): raise SystemExit", None, "SystemExit"),
                ("def __repr__(self): return 5", None, "TypeError"),
                ("def __repr__(self): return 'x' * (1 << 25)", None, "larger than 1048576 characters"),
                ("def __repr__(self):\n  while True: pass", None, "too long"),
                ("def __repr__(self):\n  while True:\n   try:\n    while True: pass\n   except BaseException: pass", None, "too long"),
                ("def __new__(cls): return 'x' * (300 << 20)", None, "larger than 1048576 characters"),
                ("__repr__ = lambda s: 'a'\n def _repr_html_(self): raise KeyError('h')", {"text/plain": "a"}, "KeyError: 'h'"),
                ("__repr__ = lambda s: 'a'\n def _repr_html_(self): return 5", {"text/plain": "a"}, "not a text"),
                ("__repr__ = lambda s: 'a'\n def _repr_png_(self): return b'GIF'", {"text/plain": "a"}, "not a PNG"),
                (f"__repr__ = lambda s: 'a'\n def _repr_png_(self): return {PNG_HEAD!r} + bytes(1 << 24)", {"text/plain": "a"},
                 "larger than the figures limit of 16 MiB"),
                (f"__repr__ = lambda s: 'a'\n def _repr_png_(self): return {PNG_HEAD[:16]!r} + b'z' * 8", {"text/plain": "a"},
                 "over the limit of 16777216 in all")):
            answer = self.run_code(f"class A:\n {body}\nx = 1\nA()", timeout=30)
            self.assertEqual((answer.status, answer.result, answer.display), ("ok", {"x": 1}, shown), body)
            self.assertEqual(len(answer.omitted), 1, answer.omitted)
            self.assertTrue(answer.omitted[0]["name"].startswith("display"))
            self.assertIn(reason, answer.omitted[0]["reason"])

    def test_the_limit_of_figures_is_the_displays_too(self):
        answer = self.run_code("'x' * 2000", figures_limit=1000)
        self.assertEqual((answer.display, answer.omitted), (None, [{"name": "display", "reason": "larger than the figures limit of 1000 bytes"}]))


