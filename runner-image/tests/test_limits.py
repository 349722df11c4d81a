import json
import os
import time

from support import FINISHED, RESULT, RunnerTest


class Time(RunnerTest):
    def assert_timeout(self, code, stdout=b""):
        started = time.monotonic()
        answer = self.run_code(code, timeout=0.4)
        self.assertEqual((answer.status, answer.exit_code, answer.signal, answer.error, answer.stdout),
                         ("timeout", None, "SIGKILL", None, stdout))
        self.assertLess(time.monotonic() - started, 2.4)
        self.assertGreaterEqual(answer.execution_time, 0.4)

    def test_sleeping_keeps_the_partial_output(self):
        self.assert_timeout("print('half', end=''); import time; time.sleep(100)", b"half")

    def test_code_that_refuses_to_stop(self):
        self.assert_timeout("while True:\n try:\n  while True: pass\n except BaseException: pass")
        self.assert_timeout("import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\nwhile True: pass")
        self.assert_timeout("import os\nos.kill(os.getpid(), 19)")

    def test_code_that_ends_just_in_time_has_time_to_give_its_values(self):
        # The parent looks at what the child says every quarter of a second, and so for the last time before the code ends.
        slow = "import time\nclass Slow:\n def __repr__(self):\n  time.sleep(0.4)\n  return 'slow'\n __slots__ = ()\nx = Slow()\n"
        answer = self.run_code(slow + "time.sleep(0.85)", timeout=1)
        self.assertEqual((answer.status, answer.result, answer.omitted), ("ok", {"x": "slow"}, []))

    def test_a_long_call_that_holds_the_interpreter(self):
        self.assert_timeout("x = 7 ** (10 ** 8)")

    def test_nothing_after_the_code_delays_the_answer(self):
        at_the_end = b"sandbox: exit handlers, finalizers or processes that they wait for did not end in time: they were ended\n"
        for code, told in (
                ("import atexit, time; atexit.register(time.sleep, 100)", at_the_end),
                ("import threading, time; threading.Thread(target=time.sleep, args=(100,)).start()",
                 b"sandbox: threads that did not end within 1 s after the last line: 1; they end with the run\n"),
                ("import time\nclass A:\n def __del__(self): time.sleep(100)\na = A()", at_the_end),
                ("import multiprocessing, time; multiprocessing.Process(target=time.sleep, args=(100,)).start()", at_the_end)):
            started = time.monotonic()
            answer = self.run_code(code + "\nx = 1", timeout=30)
            self.assertEqual((answer.result["x"], answer.stderr), (1, told), code)
            self.assertLess(time.monotonic() - started, 20)

    def test_what_is_cut_short_is_told_also_where_the_code_has_another_stderr(self):
        code = "import io, sys, threading, time; sys.stderr = io.StringIO(); threading.Thread(target=time.sleep, args=(100,)).start()"
        self.assertIn(b"sandbox: threads", self.run_code(code).stderr)
        answer = self.run_code("import atexit, sys, time; atexit.register(time.sleep, 100); sys.stderr.write('x' * 995)", output_limit=1000)
        self.assertEqual((answer.status, answer.stderr, answer.truncated["stderr"]), ("ok", b"x" * 995 + b"sandb", False))

    def test_threads_left_behind_are_waited_for_and_idle_executors_are_not(self):
        answer = self.run_code("import threading, time\n"
                               "threading.Thread(target=lambda: (time.sleep(.2), print('late'))).start()")
        self.assertEqual((answer.stdout, answer.stderr), (b"late\n", b""))
        # Kept, so that it is not the garbage collector that ends the workers.
        code = "from concurrent.futures import ThreadPoolExecutor\ne = ThreadPoolExecutor(2)\nx = e.submit(int).result()"
        # A busy machine may delay one of them, but not each by the whole second that idle workers would cost.
        self.assertLess(min(self.run_code(code).execution_time for _ in range(4)), 0.9)


class Output(RunnerTest):
    def test_exactly_the_limit_is_fine_and_one_byte_more_is_not(self):
        answer = self.run_code("print('x' * 999)", output_limit=1000)
        self.assertEqual((answer.status, len(answer.stdout)), ("ok", 1000))
        answer = self.run_code("print('x' * 1000)", output_limit=1000)
        self.assertEqual((answer.status, len(answer.stdout)), ("output_limit", 1000))
        self.assertEqual(answer.truncated, {"stdout": True, "stderr": False})

    def test_floods_are_cut(self):
        for code, streams in (("while True: print('y' * 1000)", {"stdout": True, "stderr": False}),
                              ("import sys\nwhile True: sys.stderr.write('z')", {"stdout": False, "stderr": True})):
            answer = self.run_code(code, output_limit=100_000)
            self.assertEqual((answer.status, answer.truncated), ("output_limit", streams))

    def test_a_pipe_in_packet_mode_loses_nothing(self):
        answer = self.run_code("import fcntl, os\nfcntl.fcntl(1, fcntl.F_SETFL, os.O_WRONLY | os.O_DIRECT)\n"
                               "for i in range(15): os.write(1, b'%d\\n' % i)")
        self.assertEqual((answer.status, answer.stdout), ("ok", b"".join(b"%d\n" % i for i in range(15))))

    def test_closed_descriptors_are_fine(self):
        for code in ("import os; os.closerange(0, 1000)", "import sys; sys.stdout.close(); sys.stderr.close()"):
            self.assertEqual(self.result_of(code + "\nx = 1"), {"x": 1})

    def test_bytes_pass_unchanged(self):
        answer = self.run_code("import sys\nsys.stdout.buffer.write(b'\\xff\\0\\x1b')\nprint('\\udcfe')")
        self.assertEqual(answer.stdout, b"\xff\0\x1b\xfe\n")

    def test_bytes_equal_to_a_frame_on_any_descriptor_reach_no_verdict(self):
        answer = self.run_code("import os\nfor fd in range(1000):\n try: os.write(fd, b'\\x86\\0\\0\\0\\2{}')\n"
                               " except OSError: pass\n1/0")
        self.assertEqual((answer.status, answer.stdout), ("error", b"\x86\0\0\0\2{}"))


class Processes(RunnerTest):
    def test_the_true_exit_code_or_signal_of_a_crash(self):
        for code, expected in (("import os; os._exit(7)", (7, None)), ("import os; os._exit(0)", (0, None)),
                               ("import ctypes; ctypes.string_at(0)", (None, "SIGSEGV")),
                               ("import os; os.abort()", (None, "SIGABRT")),
                               ("import os; os.kill(os.getpid(), 9)", (None, "SIGKILL")),
                               ("import os; os.execv('/bin/sh', ['sh', '-c', 'exit 4'])", (4, None))):
            answer = self.run_code(code)
            self.assertEqual((answer.status, answer.exit_code, answer.signal, answer.error),
                             ("crashed", *expected, None), code)

    def test_a_detached_process_that_holds_the_pipes_neither_delays_nor_survives(self):
        answer = self.run_code("import os, time\nif os.fork() == 0:\n os.setsid()\n if os.fork(): os._exit(0)\n"
                               " print(os.getpid(), flush=True)\n time.sleep(100)\ntime.sleep(.3)\nx = 1")
        self.assertEqual(answer.result, {"x": 1})
        self.assertLess(answer.usage["wall_time"], 1)
        # Killed before the answer, but not waited for.
        give_up = time.monotonic() + 5
        while os.path.exists(f"/proc/{int(answer.stdout)}"):
            self.assertLess(time.monotonic(), give_up)
            time.sleep(0.01)

    def test_what_else_it_leaves_running_is_killed_before_the_answer(self):
        conversation = self.conversation()
        conversation.receive()
        conversation.execute("import os, time\nchild = os.fork()\nif child == 0: time.sleep(100)")
        child = None
        while (received := conversation.receive())[0] != FINISHED:
            if received[0] == RESULT:
                child = json.loads(received[1])["child"]
        with self.assertRaises(ProcessLookupError):
            os.kill(child, 0)

    def test_zombies_are_fine(self):
        self.assertEqual(self.result_of("import os\nfor i in range(60):\n if os.fork() == 0: os._exit(0)"), {"i": 59})

    def test_a_fork_that_runs_off_the_end_reports_nothing(self):
        answer = self.run_code("import os\nchild = os.fork()\nif child: os.waitpid(child, 0)\nx = bool(child)\nprint(x)\ndel child")
        self.assertEqual((answer.result, answer.stdout), ({"x": True}, b"False\nTrue\n"))

    def test_signals_at_the_runner_mean_nothing(self):
        self.assertEqual(self.result_of("import os\nfor i in range(1000): os.kill(os.getppid(), 10)"), {"i": 999})

    def test_usage_counts_every_process(self):
        usage = self.run_code("import os, time\nif os.fork() == 0:\n"
                              " while time.process_time() < .3: pass\n os._exit(0)\nos.wait()").usage
        self.assertGreater(usage["cpu_time"], 0.25)
        self.assertGreater(usage["peak_memory"], 1 << 20)
