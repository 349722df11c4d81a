#!/usr/bin/env python3
"""Every test that a document names is there.

A name between backquotes with three underscores or more is a test's, unless it is a metric's; one that ends in … is the
beginning of a test's.
"""

import pathlib
import re
import sys

NAME = re.compile(r"`(?!code_sandbox_|process_)([a-z0-9]+(?:_[a-z0-9]+){3,})(_?…)?`")
# Fewer would say that the documents are no longer read as they are written.
LEAST = 50

root = pathlib.Path(__file__).parent.parent
documents = [root / f"{name}.md" for name in ("SECURITY", "README", "ARCHITECTURE", "CONTRIBUTING")]
documents += [root / "tests/corpus/README.md", *sorted((root / "docs").rglob("*.md"))]
sources = [path for folder in ("crates", "tests", "runner-image") for kind in ("rs", "py") for path in (root / folder).rglob(f"*.{kind}")]
there = {name for path in sources for name in re.findall(r"\b(?:fn|def) (\w+)\(", path.read_text("utf-8"))}

named = set()
for document in documents:
    for name, beginning in NAME.findall(document.read_text("utf-8")):
        named.add(name)
        if not any(test.startswith(name) if beginning else test == name for test in there):
            sys.exit(f"{document.relative_to(root)} names the test {name}, which is not there")
if len(named) < LEAST:
    sys.exit(f"only {len(named)} tests are named in {len(documents)} documents")
