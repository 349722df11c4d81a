"""bundle.py FILE DIRECTORY...: writes the bytecode of every module below the directories into one file, which runner/boot.py
imports from.

    [u64 where the index starts] bytecode and tables of modules ... [index]

    index    marshal of (sys.path, {root on it: when it was changed}, {directory: (start, end) of its table})
    table    marshal of {name: (kind, file, start, end)}; see boot.py for the kinds
"""

import importlib.machinery
import marshal
import os
import sys

MODULE, PACKAGE, EXTENSION = range(3)
SUFFIXES = importlib.machinery.EXTENSION_SUFFIXES


def main(target, roots):
    directories = {}
    with open(target, "wb") as bundle:
        bundle.write(bytes(8))

        def append(data):
            start = bundle.tell()
            bundle.write(data)
            return start, bundle.tell()

        for root in roots:
            for directory, subdirectories, files in os.walk(root):
                subdirectories[:] = sorted(name for name in subdirectories if name.isidentifier() or directory == root)
                table = {name: (kind, file, *(append(code(directory, file)) if kind != EXTENSION else (0, 0)))
                         for name, kind, file in modules_of(directory, subdirectories, files)}
                if table:
                    directories[directory] = append(marshal.dumps(table))
        path = search_path()
        # Of the directories that packages are installed into. The runner's own gets another time when an image is put together.
        changed = {root: int(os.stat(root).st_mtime) for root in roots if root in path}
        start, _ = append(marshal.dumps((path, changed, directories)))
        bundle.seek(0)
        bundle.write(start.to_bytes(8, "big"))


def search_path():
    """As a script has it, without the directory of this one."""
    return [entry for entry in sys.path if entry != os.path.dirname(os.path.abspath(__file__))]


def modules_of(directory, subdirectories, files):
    """(name, kind, file), with the precedence the import system has: packages, extensions, sources."""
    found = {}
    for file in sorted(files):
        if file.endswith(".py"):
            found[file[:-3]] = (MODULE, file)
    for suffix in reversed(SUFFIXES):
        for file in files:
            if file.endswith(suffix):
                found[file[:-len(suffix)]] = (EXTENSION, file)
    for name in subdirectories:
        if os.path.isfile(os.path.join(directory, name, "__init__.py")):
            found[name] = (PACKAGE, f"{name}/__init__.py")
    return [(name, kind, file) for name, (kind, file) in sorted(found.items()) if name.isidentifier() and name != "__init__"]


def code(directory, file):
    path = os.path.join(directory, file)
    with open(path, "rb") as source:
        return marshal.dumps(compile(source.read(), path, "exec", dont_inherit=True, optimize=0))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
