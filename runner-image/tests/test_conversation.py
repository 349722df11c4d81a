import json
import os
import signal
import sys
import time

import support
from support import ARCHIVE, ARCHIVE_END, CANCEL, EXECUTE, PRELOAD, PRELOADED, READY, STARTED, RunnerTest, frame

LIMITS = {"timeout_ms": 10_000, "output_limit": 1000}


class ConversationTest(RunnerTest):
    def assert_refused(self, *frames):
        conversation = self.ready()
        conversation.send(*frames)
        self.assertEqual(conversation.exit_code(), 70)
        self.assertIsNone(conversation.receive())

    def test_ready_names_protocol_and_python(self):
        kind, payload = self.conversation().receive()
        self.assertEqual(kind, READY)
        self.assertEqual(json.loads(payload), {"protocol": 5, "python": ".".join(map(str, sys.version_info[:3]))})

    def test_preloads_are_answered_and_their_modules_are_there(self):
        conversation = self.ready()
        conversation.send(frame(PRELOAD, {"module": "colorsys"}), frame(PRELOAD, {"module": "nonesuch"}))
        kind, payload = conversation.receive()
        self.assertEqual((kind, json.loads(payload)), (PRELOADED, {"module": "colorsys", "error": None}))
        error = json.loads(conversation.receive()[1])["error"]
        self.assertEqual(error, "ModuleNotFoundError: No module named 'nonesuch'")
        conversation.execute("import sys\nthere = 'colorsys' in sys.modules")
        self.assertEqual(conversation.collect().result, {"there": True})

    def test_threads_end_the_same_when_their_modules_were_preloaded(self):
        times = []
        for _ in range(3):
            conversation = self.ready()
            conversation.send(frame(PRELOAD, {"module": "concurrent.futures.thread"}))
            conversation.receive()
            conversation.execute("from concurrent.futures import ThreadPoolExecutor\n"
                                 "e = ThreadPoolExecutor(2)\nx = e.submit(int).result()\ndel e")
            answer = conversation.collect()
            self.assertEqual(answer.result, {"x": 0})
            times.append(answer.execution_time)
        # Waiting for the main thread, or for idle workers, would cost the whole second each time.
        self.assertLess(min(times), 0.9)

    def test_a_preload_that_prints_does_not_reach_the_pipe(self):
        conversation = self.ready()
        conversation.send(frame(PRELOAD, {"module": "this"}))
        self.assertEqual(conversation.receive()[0], PRELOADED)

    def test_a_broken_protocol_ends_the_runner_with_70(self):
        self.assert_refused(b"\x99")
        self.assert_refused(frame(0x86))
        self.assert_refused(b"\x03\xff\xff\xff\xff")
        self.assert_refused(frame(ARCHIVE_END))
        self.assert_refused(frame(EXECUTE, {}), frame(ARCHIVE, support.tar({"main.py": b""})), frame(ARCHIVE_END))
        self.assert_refused(frame(EXECUTE, LIMITS), frame(ARCHIVE_END))
        self.assert_refused(frame(EXECUTE, LIMITS), frame(EXECUTE, LIMITS))
        self.assert_refused(frame(EXECUTE, LIMITS), frame(ARCHIVE, b"x" * 600), frame(ARCHIVE_END))
        self.assert_refused(frame(EXECUTE, b"[" * 5000))

    def test_end_of_file_before_execute_ends_the_runner(self):
        conversation = self.ready()
        conversation.process.stdin.close()
        self.assertEqual(conversation.exit_code(), 0)

    def test_end_of_file_while_code_runs_kills_everything(self):
        conversation = self.ready()
        conversation.execute(FORKS_AND_SLEEPS)
        pids = self.pids_printed(conversation)
        conversation.process.stdin.close()
        self.assertEqual(conversation.exit_code(), 0)
        self.assert_gone(pids)

    def test_started_is_said_before_the_code_runs_whatever_the_parent_does(self):
        conversation = self.conversation()
        conversation.receive()
        os.kill(conversation.process.pid, signal.SIGSTOP)
        conversation.execute("open('ran', 'x').close()")
        deadline = time.monotonic() + 10
        while not os.path.exists(os.path.join(conversation.workspace, "ran")) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(conversation.process.pid, signal.SIGKILL)
        self.assertEqual(conversation.receive(), (STARTED, b""))

    def test_cancel_kills_everything_and_keeps_the_output(self):
        conversation = self.ready()
        conversation.execute(FORKS_AND_SLEEPS)
        pids = self.pids_printed(conversation)
        conversation.send(frame(CANCEL))
        answer = conversation.collect()
        self.assertEqual((answer.status, answer.signal, answer.error), ("cancelled", "SIGKILL", None))
        self.assert_gone(pids)

    def test_cancel_inside_the_archive_is_answered(self):
        conversation = self.ready()
        conversation.send(frame(EXECUTE, LIMITS), frame(CANCEL))
        self.assertEqual(conversation.collect().status, "cancelled")
        self.assertEqual(conversation.exit_code(), 0)

    def test_a_slow_reader_holds_the_code_back_and_loses_nothing(self):
        conversation = self.ready()
        conversation.execute("import sys\nfor i in range(30): print('y' * 99_999)", output_limit=4 << 20)
        time.sleep(0.3)
        answer = conversation.collect()
        self.assertEqual((answer.status, len(answer.stdout)), ("ok", 3_000_000))

    def test_a_reader_that_never_reads_does_not_stop_the_deadline(self):
        conversation = self.ready()
        conversation.execute("while True: print('y' * 10_000)", output_limit=1 << 30, timeout=0.5)
        time.sleep(1)
        answer = conversation.collect()
        self.assertEqual(answer.status, "timeout")
        self.assertLess(answer.execution_time, 0.8)
        self.assertLess(len(answer.stdout), 2 << 20)

    def pids_printed(self, conversation):
        self.assertEqual(conversation.receive(), (STARTED, b""))
        text = b""
        while text.count(b"\n") < 2:
            text += conversation.receive()[1]
        return [int(line) for line in text.split()]

    def assert_gone(self, pids):
        self.assertEqual(len(pids), 2)
        for pid in pids:
            self.assertFalse(os.path.exists(f"/proc/{pid}"), pid)


# One write each: print sends text and newline apart, and two processes would mix them.
FORKS_AND_SLEEPS = """
import os, time
if os.fork() == 0:
    os.setsid()
os.write(1, f"{os.getpid()}\\n".encode())
time.sleep(100)
"""
