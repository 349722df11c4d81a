import unittest
from importlib.util import find_spec

from support import PRELOAD, PRELOADED, RunnerTest, frame  # puts the runner on the path

import source


class Script(RunnerTest):
    def test_it_is_main(self):
        result = self.result_of("""
            import dataclasses, inspect, multiprocessing, pickle, sys
            @dataclasses.dataclass
            class P:
                x: int
            def square(v): return v * v
            if __name__ == "__main__":
                copy = pickle.loads(pickle.dumps(P(3)))
                source = inspect.getsource(square)
                with multiprocessing.Pool(2) as pool:
                    squares = pool.map(square, [1, 2])
                del pool
                argv, file, runner = sys.argv, __file__, "supervisor" in sys.modules
        """.replace("\n            ", "\n"), args=["a", "b"])
        self.assertEqual(result, {
            "copy": {"x": 3}, "source": "def square(v): return v * v\n", "squares": [1, 4],
            "argv": ["main.py", "a", "b"], "file": f"{self.workspace}/main.py", "runner": False})

    def test_future_imports_and_only_the_codes_own(self):
        self.assertEqual(self.result_of("from __future__ import annotations\ndef f(x: nonsense): pass\nx = 1"), {"x": 1})

    def test_names_that_need_no_import_are_those_the_module_does_not_bind(self):
        for code, needed in (
            ("pd.DataFrame()", {"pd"}),
            ("def f(): return np.zeros(1)", {"np"}),
            ("import pandas as pd\npd.DataFrame()", set()),
            ("pd = 1\nprint(pd)", set()),
            ("def load():\n  import pandas as pd\n  return pd\nx = pd.DataFrame()", {"pd"}),
            ("f = lambda np: np\nx = np.zeros(1)", {"np"}),
            ("def f(np): return np", set()),
            ("def f():\n  global pd\n  import pandas as pd\nf()\npd.x", set()),
            ("class A:\n  pd = 1\nprint(pd)", {"pd"}),
        ):
            self.assertEqual(source._names_used_but_not_bound(code) & {"pd", "np"}, needed, code)

    def test_a_file_of_the_request_in_the_place_of_numpy_fails_as_if_it_were_imported(self):
        answer = self.run_code("x = np", given={"numpy.py": b"1/0"})
        self.assertEqual((answer.status, answer.error), ("error", "ZeroDivisionError: division by zero"))
        self.assertIn(b'numpy.py", line 1, in <module>\n    1/0\n', answer.stderr)
        self.assertNotIn(b"/runner/", answer.stderr)
        self.assertEqual(self.run_code("x = np", given={"numpy.py": b"raise SystemExit(3)"}).exit_code, 3)
        self.assertIn("NameError", self.run_code("x = np", given={"numpy.py": b"import nothing_of_that_name"}).error)
        self.assertEqual(self.run_code("x = pd", given={"warnings.py": b"raise KeyError(1)"}).error, "KeyError: 1")

    def test_lines_end_where_python_says(self):
        for code in ("x = 'a\u2028b\x0c\x85'\n1/0", "x = 1\r\n1/0\r\n", "x = 1\r1/0"):
            self.assertIn(b'main.py", line 2, in <module>\n    1/0\n', self.run_code(code).stderr)

    def test_a_syntax_error_found_late_shows_its_line(self):
        self.assertIn(b"    return 5\n", self.run_code("x = 1\nreturn 5").stderr)

    def test_an_error_is_told_without_any_builtin(self):
        answer = self.run_code("import builtins\nvars(builtins).clear()\n1/0")
        self.assertEqual(answer.error, "ZeroDivisionError: division by zero")

    def test_a_null_byte_is_told_with_its_line(self):
        for code, where in (("x = 1\ny = \0 2", b"line 2\n    y = \n"), ("\0", b"line 1\n    \n"), ("x\r\n\0", b"line 2\n    \n")):
            answer = self.run_code(code)
            self.assertEqual(answer.stderr, b'  File "main.py", ' + where + b"SyntaxError: source code cannot contain null bytes\n", code)

    @unittest.skipUnless(find_spec("joblib"), "joblib is not installed")
    def test_joblib_starts_its_workers_as_a_script_does(self):
        for first in ("", "import multiprocessing.util\n"):
            answer = self.run_code(first + "import numpy\nfrom joblib import Parallel, delayed\ndef f(x): return x * x\n"
                                   "print(Parallel(n_jobs=2)(delayed(f)(i) for i in range(4)))\n"
                                   "print(sum(Parallel(n_jobs=2)(delayed(numpy.sum)(numpy.ones(1 << 19)) for i in range(2))))", timeout=60)
            self.assertEqual(answer.stdout, b"[0, 1, 4, 9]\n1048576.0\n", first)
            self.assertNotIn(b"Traceback", answer.stderr, first)

    def test_every_start_method_of_multiprocessing_works(self):
        for method in ("fork", "spawn", "forkserver"):
            squares = self.result_of("import multiprocessing\n"
                                     "def square(v): return v * v\n"
                                     "if __name__ == '__main__':\n"
                                     f"  with multiprocessing.get_context('{method}').Pool(2) as pool:\n"
                                     "    squares = pool.map(square, [1, 2, 3])\n"
                                     "  del pool")
            self.assertEqual(squares, {"squares": [1, 4, 9]}, method)
            answer = self.run_code("import multiprocessing\n"
                                   "def leave(): exit(3)\n"
                                   "if __name__ == '__main__':\n"
                                   f"  process = multiprocessing.get_context('{method}').Process(target=leave)\n"
                                   "  process.start(); process.join(); print(process.exitcode)")
            self.assertEqual((answer.stdout, answer.stderr), (b"3\n", b""), method)

    def test_a_module_may_await(self):
        answer = self.run_code("import asyncio\n"
                               "async def twice(n):\n"
                               "    await asyncio.sleep(0)\n"
                               "    return n * 2 if n else 1 / n\n"
                               "task = asyncio.create_task(twice(2))\n"
                               "print(await twice(1), await task, [x async for x in (await twice(n) for n in (3, 4))])\n"
                               "await twice(0)\n")
        self.assertEqual((answer.error, answer.stdout), ("ZeroDivisionError: division by zero", b"2 4 [6, 8]\n"))
        self.assertTrue(answer.stderr.startswith(
            b'Traceback (most recent call last):\n  File "main.py", line 7, in <module>\n    await twice(0)\n'
            b'  File "main.py", line 4, in twice\n'), answer.stderr)
        self.assertEqual(self.result_of("import asyncio\nx = await asyncio.sleep(0, 5)\nraise SystemExit"), {"x": 5})
        self.assertEqual(self.run_code("def f():\n  await g()").error,
                         "SyntaxError: 'await' outside async function (main.py, line 2)")
        self.assertEqual(self.run_code("import asyncio\nawait asyncio.sleep(0)\nimport sys\nsys.exit(3)").exit_code, 3)
        self.assertEqual(self.run_code("import asyncio, os\nos.kill(os.getpid(), 2)\nawait asyncio.sleep(9)").exit_code, 130)

    def test_a_syntax_warning_comes_once_and_with_its_line(self):
        stderr = self.run_code("x = np\nif x is 5: pass\n").stderr
        self.assertEqual((stderr.count(b"main.py:2: SyntaxWarning"), stderr.count(b"  if x is 5: pass\n")), (1, 1), stderr)

    def test_a_trace_function_sees_an_error_and_does_not_replace_it(self):
        for code in ("import sys\nsys.settrace(lambda *a: None)\n1/0", "import sys\nsys.setprofile(lambda *a: None)\n1/0",
                     "import sys\ndef trace(*a): return trace\nsys.settrace(trace)\n1/0"):
            self.assertEqual(self.run_code(code).error, "ZeroDivisionError: division by zero")
        self.assertEqual(self.run_code("breakpoint()").error, "bdb.BdbQuit")

    def test_stdin(self):
        self.assertEqual(self.result_of("a = input(); import sys; b = sys.stdin.read()", stdin="one\ntwo\n"),
                         {"a": "one", "b": "two\n"})
        self.assertEqual(self.run_code("input()").error, "EOFError: EOF when reading a line")

    def test_stdin_larger_than_any_pipe_read_whole_in_part_or_not_at_all(self):
        text = "0123456789abcde\n" * 200_000
        self.assertEqual(self.result_of("import sys; n = len(sys.stdin.read())", stdin=text), {"n": len(text)})
        self.assertEqual(self.result_of("a = input()", stdin=text), {"a": "0123456789abcde"})
        self.assertEqual(self.result_of("a = 1", stdin=text), {"a": 1})
        answer = self.run_code("for line in open(0): print(line, end='')", stdin=text, output_limit=len(text))
        self.assertEqual((answer.status, answer.stdout.decode() == text), ("ok", True))

    def test_the_workspace_is_the_current_directory_and_importable(self):
        self.assertEqual(self.result_of("open('helper.py', 'w').write('y = 5')\nimport helper\nx = helper.y\n"), {"x": 5})

    def test_a_file_left_open_is_flushed(self):
        self.run_code("f = open('out.txt', 'w')\nf.write('hi')")
        with open(f"{self.workspace}/out.txt") as file:
            self.assertEqual(file.read(), "hi")

    def test_inputs_and_what_of_them_is_a_result(self):
        given = {"x": 1, "items": [1], "flag": 1, "same": {"a": [1]}, "class": 2, "not an id": 3, "_private": 4}
        self.assertEqual(self.result_of("y = x + 1; flag = True; z = input_data['class'] + _private", input=given),
                         {"y": 2, "flag": True, "z": 6})
        self.assertEqual(self.result_of("items.append(2)", input=given), {"items": [1, 2]})
        self.assertEqual(self.result_of("items.append(2); del items", input=given),
                         {"input_data": {**given, "items": [1, 2]}})
        self.assertEqual(self.result_of("input_data['new'] = items", input=given),
                         {"input_data": {**given, "new": given["items"]}})
        self.assertEqual(self.result_of("items = [5]", input=given), {"items": [5]})

    def test_an_input_is_told_from_what_only_looks_like_it(self):
        deep = {}
        for _ in range(20):
            deep = {"deep": [deep]}
        given = {"n": 1, "text": "a", "pair": {"b": 1, "a": 2}, "input_data": [1], "deep": deep}
        for code in ("n = 0 + 1", "text = 'ba'[1:]", "pair = dict(pair)", "input_data['pair'] = {'b': 1, 'a': 2}",
                     "input_data = dict(input_data)", "del n, text, pair, deep"):
            self.assertEqual(self.result_of(code, input=given), {}, code)
        for code, result in (("n = True", {"n": True}), ("n = 1.0", {"n": 1.0}),
                             ("text = {}", {"text": {}}), ("class Data(dict): pass\npair = Data(pair)", {"pair": given["pair"]}),
                             ("del pair['b']; pair['b'] = 1", {"pair": {"a": 2, "b": 1}}),
                             ("input_data['input_data'].append(2)", {"input_data": {**given, "input_data": [1, 2]}}),
                             ("input_data = given = 5", {"input_data": 5, "given": 5})):
            self.assertEqual(self.result_of(code, input=given), result, code)

    def test_an_input_is_a_variable_under_the_name_that_the_parser_makes_of_it(self):
        given = {"µ": 3, "cafe\u0301": [1]}
        self.assertEqual(self.result_of("x = µ * 2 + len(café)", input=given), {"x": 7})
        self.assertEqual(self.result_of("café.append(2)", input=given), {"café": [1, 2]})

    def test_an_input_that_the_parser_makes_a_dunder_of_is_no_variable(self):
        given = {"_\uff3fbuiltins__": {}, "\uff44ef": 1, "\uff44ata\uff11": 2}
        self.assertEqual(self.result_of("x = len(input_data)", input=given), {"x": 3})

    def test_standard_input_keeps_its_ends_of_lines(self):
        self.assertEqual(self.result_of("import sys; a, b = input(), sys.stdin.read()", stdin="1\r\n2\r\n3\r"),
                         {"a": "1\r", "b": "2\r\n3\r"})

    def test_a_file_of_the_request_is_imported_before_what_was_there(self):
        files = {"random.py": b"x = 1", "json/__init__.py": b"from .deep import y", "json/deep.py": b"y = 2", "os.py": b"z = 3"}
        self.assertEqual(self.result_of("import json, os, random\nx, y, z = random.x, json.y, hasattr(os, 'z')", given=files),
                         {"x": 1, "y": 2, "z": False})
        conversation = self.conversation()
        conversation.receive()
        for module in ("random", "json"):
            conversation.send(frame(PRELOAD, {"module": module}))
            self.assertEqual(conversation.receive()[0], PRELOADED)
        conversation.execute("import json, random\nx, y = random.x, json.y", given=files)
        self.assertEqual(conversation.collect().result, {"x": 1, "y": 2})

    def test_it_ends_as_python_ends(self):
        hook = "import sys\ndef hook(*failure): print('hook', file=sys.stderr); sys.exit(7)\nsys.excepthook = hook\n1/0"
        for code, status, exit_code, stderr in (
                (hook, "error", 7, b"hook\n"),
                ("import sys\nsys.exit(2 ** 80)", "error", 255, b""),
                ("import sys\nsys.exit(-1)", "error", 255, b""),
                ("class Stop(KeyboardInterrupt): pass\nraise Stop", "error", 1, None),
                ("import sys\ndel sys.stdout, sys.stderr", "ok", 0, b"")):
            answer = self.run_code(code)
            self.assertEqual((answer.status, answer.exit_code), (status, exit_code), code)
            if stderr is not None:
                self.assertEqual(answer.stderr, stderr, code)

    def test_odd_sources(self):
        for code in ("", "\ufeffx = 1", "x = 1\r\ny = 2\r\n", "# -*- coding: nonsense -*-\nx = 'é'", "#" + "z" * 5_000_000):
            self.assertEqual(self.run_code(code).status, "ok")
        for code in ("x = 1\0", "(" * 100_000, "-" * 100_000 + "1", "if x\n"):
            self.assertEqual(self.run_code(code).status, "error")

    def test_only_data_is_a_result(self):
        self.assertEqual(self.result_of(
            "import math\nfrom typing import List\nfrom functools import lru_cache, partial\n"
            "from dataclasses import KW_ONLY, MISSING\nT = List[int]\n"
            "class A: pass\ndef f(): pass\ng = lru_cache(f)\nh = [].append\np = partial(f)\n_private = 1\nx = 1"), {"x": 1})

    def test_output_that_got_lost_at_the_end_is_told_as_python_does(self):
        for make in ("open('/dev/full', 'w')", "type('Lossy', (), {'write': len, 'flush': lambda self: 1 / 0})()",
                     "type('Odd', (), {'write': len, 'closed': property(lambda self: {}['closed']), 'flush': lambda self: 1 / 0})()"):
            answer = self.run_code(f"import sys\nx = 1\nsys.stdout = {make}\nprint('important')")
            self.assertEqual((answer.status, answer.exit_code, answer.result), ("error", 120, None), make)
            self.assertEqual(answer.stderr.decode(), f"Exception ignored on flushing sys.stdout:\n{answer.error}\n")
        emptied = "import builtins, sys\nx = 1\nclass S:\n def flush(self): vars(builtins).clear()\nsys.stdout = S()"
        self.assertEqual(self.result_of(emptied), {"x": 1})
        self.assertEqual(self.result_of("import io, sys\nsys.stdout = io.StringIO()\nprint(1)\nx = 1\nsys.stdout.close()"), {"x": 1})


class Failures(RunnerTest):
    def test_an_error_for_want_of_a_network_says_so_and_no_other_does(self):
        said = b"\nsandbox: there is no network in here\n"
        for code in ("import socket\nsocket.getaddrinfo('name.invalid', 80)", "import urllib.request\nurllib.request.urlopen('http://name.invalid')",
                     "try:\n  raise OSError(97, 'Address family not supported by protocol')\nexcept OSError as e: raise KeyError from e"):
            answer = self.run_code(code)
            self.assertTrue(answer.status == "error" and answer.stderr.endswith(said), answer.stderr)
        for code in ("1/0", "open('nothing')", "class E(OSError):\n @property\n def errno(self): 1/0\nraise E"):
            answer = self.run_code(code)
            self.assertTrue(answer.status == "error" and said not in answer.stderr, answer.stderr)

    def test_a_traceback_shows_the_users_frames_and_nothing_else(self):
        answer = self.run_code("def f():\n    return 1 / 0\n"
                               "try:\n    f()\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e\n")
        text = answer.stderr.decode()
        self.assertEqual((answer.status, answer.exit_code, answer.error, answer.result), ("error", 1, "KeyError: 'k'", None))
        self.assertTrue(text.startswith("Traceback (most recent call last):\n  File \"main.py\", line 4, in <module>"), text)
        self.assertIn("    return 1 / 0\n", text)
        self.assertIn("The above exception was the direct cause", text)
        self.assertTrue(text.endswith("KeyError: 'k'\n"), text)
        self.assertNotIn("runner", text)

    def test_syntax_errors(self):
        answer = self.run_code("x = 1\nif x\n")
        self.assertEqual(answer.error, "SyntaxError: expected ':' (main.py, line 2)")
        self.assertTrue(answer.stderr.startswith(b'  File "main.py", line 2\n    if x\n'), answer.stderr)

    def test_exits(self):
        for code, status, exit_code, error, stderr in (
                ("raise SystemExit", "ok", 0, None, b""), ("import sys; sys.exit(0)", "ok", 0, None, b""),
                ("import sys; sys.exit(3)", "error", 3, "SystemExit: 3", b""),
                ("import sys; sys.exit('x')", "error", 1, "SystemExit: x", b"x\n"),
                ("import sys; sys.exit(-1)", "error", 255, "SystemExit: -1", b"")):
            answer = self.run_code(code)
            self.assertEqual((answer.status, answer.exit_code, answer.error, answer.stderr), (status, exit_code, error, stderr))

    def test_keyboard_interrupt(self):
        for code in ("raise KeyboardInterrupt", "import os; os.kill(os.getpid(), 2)"):
            answer = self.run_code(code)
            self.assertEqual((answer.status, answer.exit_code, answer.error), ("error", 130, "KeyboardInterrupt"))

    def test_a_message_of_a_million_characters_is_clipped(self):
        answer = self.run_code("raise ValueError('z' * 1_000_000)", output_limit=100_000)
        self.assertEqual(answer.status, "error")
        self.assertLessEqual(len(answer.error.encode()), 1024)
        self.assertIn(b"characters left out", answer.stderr)

    def test_the_standard_streams_are_pipes(self):
        answer = self.run_code("import sys\nprint([stream.seekable() for stream in (sys.stdin, sys.stdout, sys.stderr)])\n"
                               "sys.stdout.reconfigure(encoding='utf-16-le')\nprint('ä')")
        self.assertEqual((answer.status, answer.stdout), ("ok", b"[False, False, False]\n\xe4\0\n\0"))

    def test_whatever_prints_in_the_middle_of_a_print_is_heard(self):
        interrupted = (
            "import signal\nclass Enough(Exception): pass\n"
            "def tick(*_):\n global ticks\n ticks += 1\n print('tick')\n if ticks == 50: raise Enough\n"
            "ticks = 0\nsignal.signal(signal.SIGALRM, tick)\nsignal.setitimer(signal.ITIMER_REAL, 0.01, 0.005)\n"
            "try:\n while True: print('x', end='')\nexcept Enough: print('caught')")
        answer = self.run_code(interrupted, output_limit=64 << 20)
        self.assertEqual((answer.status, answer.stdout[-7:], answer.stdout.count(b"tick")), ("ok", b"caught\n", 50), answer.stderr)
        forked = (
            "import os, threading\nprints = True\ndef chatter():\n while prints: print('.', end='')\n"
            "thread = threading.Thread(target=chatter)\nthread.start()\n"
            "for n in range(100):\n pid = os.fork()\n if not pid: print('!', end=''); os._exit(0)\n os.waitpid(pid, 0)\n"
            "prints = False\nthread.join()")
        answer = self.run_code(forked, output_limit=64 << 20)
        self.assertEqual((answer.status, answer.stdout.count(b"!")), ("ok", 100), answer.stderr[-300:])

    def test_what_does_not_go_into_the_pipe_at_once_is_an_error_or_goes_later(self):
        answer = self.run_code("import os, sys\nprint('x' * 1_000_000)\nn = sys.stdout.buffer.write(memoryview(b'abcd')[::1])\n"
                               "try: sys.stdout.buffer.write('text')\nexcept TypeError: wrong = True\n"
                               "os.set_blocking(1, False)\n"
                               "try:\n while True: sys.stdout.buffer.write(bytes(1 << 20))\nexcept BlockingIOError as error: wrote = error.characters_written",
                               output_limit=64 << 20)
        self.assertEqual((answer.status, answer.result["n"], answer.result["wrong"]), ("ok", 4, True), answer.stderr)
        self.assertEqual(answer.stdout[:1_000_005], b"x" * 1_000_000 + b"\nabcd")
        self.assertLess(answer.result["wrote"], 1 << 20)

    def test_hostile_exceptions_and_hooks(self):
        self.assertEqual(self.run_code("class E(Exception):\n def __str__(self): raise SystemExit\nraise E").error,
                         "E: <exception str() failed>")
        named = "class E(Exception): pass\nE.__module__, E.__qualname__ = 'm\\n', 'A\\u2028B'\nraise E('x\\ny')"
        self.assertEqual(self.run_code(named).error, "m .A B: x y")
        silent = ("class M(type):\n def no(cls, *args): raise SystemExit\n __getattribute__ = __eq__ = __hash__ = no\n"
                  "raise Exception.__new__(M.__new__(M, 'Bad', (Exception,), {}))")
        self.assertEqual((self.run_code(silent).status, self.run_code(silent).error), ("error", "Bad"))
        answer = self.run_code("import sys\nsys.excepthook = lambda *a: print('hook', a[0].__name__)\n1/0")
        self.assertEqual((answer.stdout, answer.stderr), (b"hook ZeroDivisionError\n", b""))
        answer = self.run_code("import builtins\ndel builtins.isinstance, builtins.len, builtins.str\n1/0")
        self.assertEqual(answer.error, "ZeroDivisionError: division by zero")

    def test_recursion_and_groups(self):
        self.assertIn("RecursionError", self.run_code("def f(): f()\nf()").error)
        self.assertIn(b"ValueError: 1", self.run_code("raise ExceptionGroup('g', [ValueError(1)])").stderr)
