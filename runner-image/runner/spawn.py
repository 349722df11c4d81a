"""multiprocessing's start methods `spawn` and `forkserver` run the main script again in every new process: they need it as a
file. It is written only for a program that uses them, next to where a script would lie, in the current directory."""

import os
import sys

from source import FILENAME

NEEDED_BY = frozenset(("multiprocessing.popen_spawn_posix", "multiprocessing.popen_forkserver"))


class WriteMainWhenNeeded:
    """A finder of modules that finds none, but is asked about each before it is imported."""

    def __init__(self, source, directory):
        self.source = source
        self.path = os.path.join(directory, FILENAME)

    def find_spec(self, name, path=None, target=None):
        if name in NEEDED_BY:
            from multiprocessing import util

            # As a script's: the runner's own would leave out exit(), quit() and whatever else `site` provides.
            util._args_from_interpreter_flags = lambda: ["-B"]
            if not os.path.exists(self.path):
                with open(self.path, "w", encoding="utf-8", newline="") as file:
                    file.write(self.source)
        return None


def install(source, directory):
    sys.meta_path.insert(0, WriteMainWhenNeeded(source, directory))
