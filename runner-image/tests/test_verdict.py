import signal
import unittest

import support  # noqa: F401  puts the runner on the path
from verdict import judge

OK = {"status": "ok", "exit_code": 0, "error": None, "execution_time": 0.1}
FAILED = {"status": "error", "exit_code": 3, "error": "SystemExit: 3", "execution_time": 0.1}


def exited(code):
    return code << 8


class Verdicts(unittest.TestCase):
    def verdict(self, cause=None, wait_status=0, ended=OK, done=True, oom_killed=False):
        verdict = judge(cause, wait_status, ended, done, oom_killed)
        return verdict.status, verdict.exit_code, verdict.signal, verdict.error

    def test_a_complete_report_and_a_clean_exit_are_ok(self):
        self.assertEqual(self.verdict(), ("ok", 0, None, None))

    def test_an_exception_is_an_error(self):
        self.assertEqual(self.verdict(wait_status=exited(3), ended=FAILED), ("error", 3, None, "SystemExit: 3"))

    def test_without_a_whole_report_every_end_is_a_crash(self):
        self.assertEqual(self.verdict(wait_status=exited(7), ended=None, done=False), ("crashed", 7, None, None))
        self.assertEqual(self.verdict(wait_status=0, ended=None), ("crashed", 0, None, None))
        self.assertEqual(self.verdict(wait_status=0, done=False), ("crashed", 0, None, None))

    def test_a_report_of_success_does_not_hide_how_the_process_ended(self):
        self.assertEqual(self.verdict(wait_status=exited(5)), ("crashed", 5, None, None))
        self.assertEqual(self.verdict(wait_status=signal.SIGSEGV), ("crashed", None, "SIGSEGV", None))

    def test_our_limits_stand_above_any_report(self):
        for cause in ("timeout", "output_limit", "cancelled"):
            self.assertEqual(self.verdict(cause, signal.SIGKILL), (cause, None, "SIGKILL", None))
            self.assertEqual(self.verdict(cause, signal.SIGKILL, oom_killed=True)[0], cause)

    def test_sigkill_with_a_risen_counter_is_the_memory_limit(self):
        self.assertEqual(self.verdict(None, signal.SIGKILL, None, False, True), ("memory_limit", None, "SIGKILL", None))
        self.assertEqual(self.verdict(None, signal.SIGKILL, None, False, False), ("crashed", None, "SIGKILL", None))

    def test_an_oom_killed_grandchild_changes_nothing(self):
        self.assertEqual(self.verdict(oom_killed=True)[0], "ok")

    def test_being_killed_while_leaving_keeps_what_the_code_reported(self):
        for cause in ("collecting", "leaving"):
            self.assertEqual(self.verdict(cause, signal.SIGKILL), ("ok", 0, None, None))
            self.assertEqual(self.verdict(cause, signal.SIGKILL, FAILED), ("error", 3, None, "SystemExit: 3"))
