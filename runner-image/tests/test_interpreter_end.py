import sys
import unittest

from support import RunnerTest

SHAPES = {
    "nothing else": "f = open('out', 'w'); f.write('x')",
    "a function": "f = open('out', 'w')\ndef w(): f.write('x')\nw()",
    "a class": "class Tee:\n def __init__(self): self.f = open('out', 'w')\ntee = Tee()\ntee.f.write('x')",
    "a failure": "f = open('out', 'w'); f.write('x'); 1/0",
    "bytes": "def g(): pass\nf = open('out', 'wb'); f.write(b'x')",
    "both ways": "def g(): pass\nf = open('out', 'w+b'); f.write(b'x')",
    "another module's": "import json\nf = open('out', 'w'); f.write('x')\njson.file = f\ndef g(): pass",
    "an exit handler": "import atexit\nf = open('out', 'w')\natexit.register(lambda: f.write('x'))",
    "a finalizer": "class A:\n def __del__(self): f.write('x')\nimport json\na, json.f = A(), open('out', 'w')\nf = json.f",
}


class InterpreterEnd(RunnerTest):
    def test_what_was_written_to_a_file_left_open_is_there(self):
        for what, code in SHAPES.items():
            self.assertEqual(self.run_code(code).files, {"out": b"x"}, what)

    def test_exit_handlers_have_the_interpreter_that_the_code_made(self):
        answer = self.run_code("""
import atexit, builtins, gc, os, sys, warnings
def recurse(depth): return depth and recurse(depth - 1)
def last():
    recurse(3000)
    print(len(str(10 ** 6000)), gc.callbacks == [callback])
    warnings.warn("here")
def say(*values, say=print): say("said", *values)
def callback(phase, info): pass
gc.callbacks.append(callback)
sys.setrecursionlimit(5000)
sys.set_int_max_str_digits(0)
builtins.print = say
atexit.register(last)
""")
        self.assertEqual(answer.stdout, b"said 6001 True\n", answer.stderr)
        self.assertEqual(answer.stderr, b"main.py:7: UserWarning: here\n  warnings.warn(\"here\")\n")

    def test_threads_that_outlast_the_code_have_it_too(self):
        answer = self.run_code("""
import builtins, logging, sys, threading, time, warnings
logging.basicConfig(format="%(message)s")
def recurse(depth): return depth and recurse(depth - 1)
def say(*values, say=print): say("said", *values)
def last():
    time.sleep(0.2)
    recurse(3000)
    logging.warning("logged")
    warnings.warn("here")
    print("last")
sys.setrecursionlimit(5000)
builtins.print = say
threading.Thread(target=last).start()
""")
        self.assertEqual(answer.stdout, b"said last\n", answer.stderr)
        self.assertEqual(answer.stderr, b"logged\nmain.py:10: UserWarning: here\n  warnings.warn(\"here\")\n")

    def test_a_hook_for_exceptions_has_it_and_keeps_nothing_of_ours(self):
        answer = self.run_code("""
import logging, sys, warnings
def hook(kind, error, traceback):
    logging.critical("unhandled", exc_info=(kind, error, traceback))
    warnings.warn("told")
    sys.settrace(lambda *_: print("traced"))
sys.excepthook = hook
raise ValueError("boom")
""")
        self.assertEqual((answer.status, answer.error, answer.stdout), ("error", "ValueError: boom", b""))
        expected = ("CRITICAL:root:unhandled\nTraceback (most recent call last):\n", "ValueError: boom\n", "UserWarning: told\n")
        for text in expected:
            self.assertIn(text, answer.stderr.decode())

    def test_threads_that_threads_start_are_waited_for_too(self):
        chain = ("import threading, time\ndef f(n):\n time.sleep(.05)\n print(n)\n"
                 " if n: threading.Thread(target=f, args=(n - 1,)).start()\n")
        answer = self.run_code(chain + "f(4)")
        self.assertEqual((answer.stdout, answer.stderr), (b"4\n3\n2\n1\n0\n", b""))
        answer = self.run_code(chain + "f(1000)")
        self.assertIn(b"sandbox: threads that did not end within 1 s after the last line: 1;", answer.stderr)

    def test_finalizers_run_whatever_the_script_is_known_by(self):
        code = "class A:\n def __del__(self): print('closed')\na = A()"
        for first in ("", "import multiprocessing\n"):
            self.assertEqual(self.run_code(first + code).stdout, b"closed\n", first)

    def test_what_c_has_printed_comes_too(self):
        answer = self.run_code("import ctypes\nprint('Python')\nctypes.CDLL(None).puts(b'C')")
        self.assertEqual(answer.stdout, b"Python\nC\n")

    def test_a_hook_that_is_missing_and_an_odd_syntax_error_are_told(self):
        answer = self.run_code("import sys\ndel sys.excepthook\n1/0")
        self.assertTrue(answer.stderr.startswith(b"sys.excepthook is missing\nTraceback"), answer.stderr)
        answer = self.run_code("e = SyntaxError('x')\ne.filename, e.lineno = 'main.py', 'abc'\nraise e")
        self.assertEqual((answer.status, answer.error), ("error", "SyntaxError: x (main.py)"))
        self.assertIn(b"SyntaxError: x", answer.stderr)

    def test_an_exit_handler_may_end_it_by_a_signal(self):
        answer = self.run_code("import atexit, os, signal\natexit.register(lambda: os.kill(os.getpid(), signal.SIGSEGV))")
        self.assertEqual((answer.status, answer.signal), ("crashed", "SIGSEGV"))

    def test_a_coroutine_that_nobody_awaited_is_told(self):
        for code in ("async def main(): pass\nr = main()", "async def main(): pass\nmain()"):
            self.assertIn(b"RuntimeWarning: coroutine 'main' was never awaited", self.run_code(code).stderr, code)

    @unittest.skipIf(sys.version_info < (3, 13), "threads have no handles")
    def test_a_thread_sees_the_end_of_the_main_one(self):
        answer = self.run_code("import threading, time\n"
                               "def wait():\n while threading.main_thread().is_alive(): time.sleep(.01)\n print('over')\n"
                               "threading.Thread(target=wait).start()")
        self.assertEqual(answer.stdout, b"over\n")

    def test_what_collecting_a_figure_logs_is_nobodys_output(self):
        answer = self.run_code("import logging\nclass A:\n def __repr__(self): logging.warning('drawn'); return 'A'\nA()")
        self.assertEqual((answer.display, answer.stderr), ({"text/plain": "A"}, b""))
        answer = self.run_code("import atexit, logging\natexit.register(lambda: logging.warning('last'))\n1")
        self.assertEqual(answer.stderr, b"WARNING:root:last\n")
