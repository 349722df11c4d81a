import os
import signal
import time

from support import REHEARSED, RunnerTest

# Everything a program could tell by that something ran before it.
STATE = """
import atexit, gc, os, signal, sys, threading, warnings
state = {
    "descriptors": sorted(os.listdir("/proc/self/fd")),
    "handlers": [str(signal.getsignal(n)) for n in sorted(signal.valid_signals())],
    "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
    "timers": [signal.getitimer(n) for n in (0, 1, 2)],
    "filters": [str(f) for f in warnings.filters],
    "argv": sys.argv, "path": len(sys.path), "finders": [str(f).split(" at ")[0] for f in sys.meta_path],
    "main": sorted(n for n in sys.modules["__main__"].__dict__ if n[:2] == "__"),
    "files": os.listdir("."), "threads": threading.active_count(), "exits": atexit._ncallbacks(),
    "limits": [sys.getrecursionlimit(), sys.get_int_max_str_digits(), gc.isenabled(), gc.get_threshold()],
    "traced": [str(sys.gettrace()), str(sys.getprofile())], "exception": str(sys.exc_info()[1]),
    "last": hasattr(sys, "last_exc"), "environment": dict(os.environ), "stdout": [sys.stdout.name, sys.stdout.mode],
}
"""


class Rehearsal(RunnerTest):
    def rehearsed(self):
        conversation = self.ready()
        self.assertEqual(conversation.receive_any(), (REHEARSED, b""))
        return conversation

    def state_of(self, conversation):
        conversation.execute(STATE)
        answer = conversation.collect()
        self.assertEqual((answer.status, answer.stdout, answer.stderr), ("ok", b"", b""))
        self.assertEqual(conversation.exit_code(), 0, conversation.process.stderr.read())
        self.assertEqual(conversation.process.stderr.read(), b"")
        return answer.result["state"]

    def test_it_leaves_no_trace(self):
        self.assertEqual(self.state_of(self.ready()), self.state_of(self.rehearsed()))

    def test_after_it_every_end_is_told_as_ever(self):
        for code, status in (("1/0", "error"), ("import os; os._exit(3)", "crashed"), ("print(1)", "ok")):
            conversation = self.rehearsed()
            conversation.execute(code)
            self.assertEqual(conversation.collect().status, status)

    def test_what_a_failure_and_an_uploaded_file_need_is_imported_by_then(self):
        conversation = self.rehearsed()
        conversation.execute("import sys\nmissing = {'pathlib', 'traceback'} - set(sys.modules)")
        self.assertEqual(conversation.collect().result, {"missing": []})

    def test_a_parent_that_wakes_up_late_finds_rehearsal_and_start_in_one_piece(self):
        conversation = self.ready()
        os.kill(conversation.process.pid, signal.SIGSTOP)
        time.sleep(0.4)
        conversation.execute("print(input())", stdin="late", given={f"{n:090}": b"" for n in range(1000)})
        time.sleep(0.3)
        os.kill(conversation.process.pid, signal.SIGCONT)
        answer = conversation.collect()
        self.assertEqual((answer.status, answer.stdout), ("ok", b"late\n"), conversation.process.stderr.read())
