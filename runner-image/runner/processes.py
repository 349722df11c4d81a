"""The processes below the runner: noticing that they ended, and ending them all."""

import os
import select
import time
from _signal import SIG_BLOCK, SIG_UNBLOCK, SIGCHLD, SIGKILL, SIGSTOP, SIGUSR1, pthread_sigmask, set_wakeup_fd, signal


class Processes:
    """The main child and whatever it starts. As PID 1 (or subreaper) the runner inherits every orphan, so reaping and
    killing reach all of them, however they detached themselves."""

    def __init__(self):
        self.main = None  # pid
        self.status = None  # wait status of the main child once it has ended
        # SIGCHLD and the report's SIGUSR1 become bytes in a pipe, which select can wait for. Which of them came does not
        # matter: everyone looks at the facts, so a signal that user code sends has no effect.
        self.wakeup, writer = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(writer, False)
        set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (SIGCHLD, SIGUSR1):
            signal(number, lambda number, frame: None)

    def drain_wakeup(self):
        try:
            while len(os.read(self.wakeup, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass

    def reap(self):
        """Collect every child that has ended. False once there is no child at all."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.main:
                self.status = status

    def wait_for_main(self):
        """Its wait status, as soon as it has ended."""
        _, self.status = os.waitpid(self.main, 0)
        return self.status

    def stop_all(self, tasks):
        """SIGSTOP every process but ourselves: at once, where a large one takes many milliseconds to die. True if that is the main child
        alone. `tasks`: says how many threads the container has, us among them, or None."""
        # Of their stopping we need not hear, while an answer is on its way.
        pthread_sigmask(SIG_BLOCK, [SIGCHLD, SIGUSR1])
        self._signal_all(SIGSTOP)
        count = tasks()
        if count is None:
            return _descendants(os.getpid()) == [self.main]
        return count <= 2 or count == 1 + _threads_of(self.main)

    def _signal_all(self, number):
        for pid in _victims():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill_all(self, patience=1.0):
        """SIGKILL every process but ourselves and reap them.

        A killed process may take a moment to go (a large address space), so this waits for SIGCHLD, at most `patience`
        seconds in all: what is left after that goes with the container.
        """
        pthread_sigmask(SIG_UNBLOCK, [SIGCHLD, SIGUSR1])
        give_up = time.monotonic() + patience
        while time.monotonic() < give_up:
            self._signal_all(SIGKILL)
            if not self.reap():
                return
            # The timeout is for a process that was being born during the kill: it is found in the next round.
            select.select([self.wakeup], [], [], 0.02)
            self.drain_wakeup()


def _victims():
    # kill(-1) is every process of the pid namespace. Only PID 1 may do that: on a host it is every process there is.
    return [-1] if os.getpid() == 1 else _descendants(os.getpid())


def _descendants(pid):
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as children:
                for child in map(int, children.read().split()):
                    found += [child, *_descendants(child)]
    except (FileNotFoundError, ProcessLookupError):
        pass  # gone since it was listed
    return found


def _threads_of(pid):
    """How many threads a process has; 0 once it is reaped."""
    try:
        with open(f"/proc/{pid}/stat") as statistics:
            return int(statistics.read().rpartition(")")[2].split()[17])
    except OSError:
        return 0
