"""New interpreters that the code's libraries start are a script's, not the runner's.

multiprocessing's start methods `spawn` and `forkserver` run the main script again in every new process: they need it as a
file. It is written only for a program that uses them, next to where a script would lie, in the current directory."""

import os
import sys

from source import FILENAME

NEEDED_BY = frozenset(("multiprocessing.popen_spawn_posix", "multiprocessing.popen_forkserver"))
# Whoever starts an interpreter asks it for the flags: these two, the trackers of resources, joblib.
FLAGS_ARE_IN = "multiprocessing.util"


class ScriptForNewInterpreters:
    """A finder of modules that finds none, but is asked about each before it is imported."""

    def __init__(self, source, directory):
        self.source = source
        self.path = os.path.join(directory, FILENAME)

    def find_spec(self, name, path=None, target=None):
        if name == FLAGS_ARE_IN:
            # It takes the function from there.
            import subprocess

            subprocess._args_from_interpreter_flags = flags_of_a_script
        elif name in NEEDED_BY and not os.path.exists(self.path):
            with open(self.path, "w", encoding="utf-8", newline="") as file:
                file.write(self.source)
        return None


def flags_of_a_script():
    """The runner's own would leave out the libraries, exit(), quit() and whatever else `site` provides."""
    return ["-B"]


def install(source, directory):
    sys.meta_path.insert(0, ScriptForNewInterpreters(source, directory))
    preloaded = sys.modules.get(FLAGS_ARE_IN)
    if preloaded is not None:
        preloaded._args_from_interpreter_flags = flags_of_a_script
