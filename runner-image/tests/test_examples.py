"""Every program in examples/programs prints in the runner, byte for byte, what it prints in plain Python, and that and the
result it leaves are what lies beside it as NAME.txt and NAME.json.

With UPDATE_EXAMPLES=1, the folder mounted writable, these two are written instead of compared.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

from support import HERE, READY, Conversation

PROGRAMS = os.path.join(HERE, "..", "..", "examples", "programs")
LIBRARIES = ("bs4", "lxml", "matplotlib", "networkx", "numpy", "openpyxl", "pandas", "PIL", "polars", "pyarrow", "scipy", "seaborn",
             "sklearn", "statsmodels", "sympy")
TIMEOUT = 60  # seconds
# As the control plane sets them in every container.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}


def names():
    return sorted(name[:-3] for name in os.listdir(PROGRAMS) if name.endswith(".py")) if os.path.isdir(PROGRAMS) else []


def in_the_runner(code):
    conversation = Conversation()
    try:
        assert conversation.receive()[0] == READY
        conversation.execute(code, timeout=TIMEOUT)
        return conversation.collect()
    finally:
        conversation.close()


def in_plain_python(code):
    """(exit status, stdout, stderr)"""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "main.py"), "w", encoding="utf-8") as file:
            file.write(code)
        run = subprocess.run([sys.executable, "-B", "main.py"], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                             timeout=TIMEOUT)
    return run.returncode, run.stdout, run.stderr


def both(name):
    with open(os.path.join(PROGRAMS, name + ".py"), encoding="utf-8") as file:
        code = file.read()
    return in_the_runner(code), in_plain_python(code)


def json_text(result):
    """Such that 1, 1.0 and true are three values."""
    return (json.dumps(result, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


@unittest.skipUnless(names(), "the examples are not here")
@unittest.skipUnless(all(map(find_spec, LIBRARIES)), "the libraries are not here")
class Examples(unittest.TestCase):
    maxDiff = None

    def test_they_do_what_they_do_in_plain_python(self):
        os.environ.update(ENVIRONMENT)
        self.assertGreaterEqual(len(names()), 50)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for name, (answer, (status, stdout, stderr)) in zip(names(), pool.map(both, names())):
                with self.subTest(name):
                    self.assertEqual((status, answer.status, answer.error), (0, "ok", None), answer.stderr + stderr)
                    self.assertEqual(answer.stdout.decode(), stdout.decode())
                    self.assertEqual(answer.omitted, [])
                    self.compare(name + ".txt", answer.stdout)
                    self.compare(name + ".json", json_text(answer.result))

    def compare(self, name, content):
        path = os.path.join(PROGRAMS, name)
        if os.environ.get("UPDATE_EXAMPLES"):
            with open(path, "wb") as file:
                file.write(content)
        with open(path, "rb") as file:
            self.assertEqual(content.decode(), file.read().decode())
