"""entry.py SOURCE: compiles the runner's way in to SOURCEc, such that its frame is one that user code does not see."""

import importlib.util
import os
import sys
from importlib._bootstrap_external import _code_to_hash_pyc

source = sys.argv[1]
sys.path.insert(0, os.path.dirname(source))
from unseen import unseen_code  # noqa: E402

with open(source, "rb") as file:
    text = file.read()
with open(source + "c", "wb") as file:
    code = unseen_code(compile(text, source, "exec", dont_inherit=True))
    file.write(_code_to_hash_pyc(code, importlib.util.source_hash(text), checked=False))
