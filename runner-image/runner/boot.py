"""The image's way in: `python3 -I -B -S /opt/runner/boot.pyc`. Imports the runner, and whatever the code imports, from a file or two.

A container reads its files for the first time, and every module of the usual kind is half a dozen system calls to find and read:
591 modules for pandas alone. build/bundle.py has put the bytecode of all of them into a file at image build. Here each
directory it knows gets a finder that looks modules up in it; everything else about them (path, source, data files) is as always.

A directory tree that has changed since, in a derived image with other packages, is imported from as if there were no bundle.
"""

import gc
import sys
from _frozen_importlib_external import ExtensionFileLoader, FileFinder, SourceFileLoader, _get_supported_file_loaders
from _frozen_importlib_external import spec_from_file_location
from marshal import loads
from posix import O_CLOEXEC, O_RDONLY, close, open, stat

from mmap import ACCESS_READ, mmap

RUNNER = "/opt/runner"
LIBRARIES_BUNDLE, RUNNER_BUNDLE = "/opt/libraries.bundle", "/opt/runner.bundle"
MODULE, PACKAGE, EXTENSION = range(3)


class BundledLoader(SourceFileLoader):
    """An ordinary source file's loader, but for where the bytecode comes from."""

    def __init__(self, name, path, code):
        super().__init__(name, path)
        self._code = code

    def get_code(self, name):
        return loads(self._code)

    def exec_module(self, module):
        # The collector would walk the half-built libraries again and again, and find nothing to free.
        collects = gc.isenabled()
        gc.disable()
        try:
            super().exec_module(module)
        finally:
            if collects:
                gc.enable()

    # Python leaves its own import system out of tracebacks, and of the places that a warning may name.
    exec_module.__code__ = exec_module.__code__.replace(co_filename="<frozen importlib._bootstrap_external>")


class BundledFinder(FileFinder):
    """Finds the modules of one directory."""

    def __init__(self, path, modules, bundle):
        super().__init__(path, *_get_supported_file_loaders())
        self._modules, self._bundle = modules, bundle

    def find_spec(self, name, target=None):
        found = self._modules.get(name.rpartition(".")[2])
        if found is None:
            return super().find_spec(name, target)
        kind, file, start, end = found
        path = f"{self.path}/{file}"
        if kind == EXTENSION:
            return spec_from_file_location(name, path, loader=ExtensionFileLoader(name, path))
        loader = BundledLoader(name, path, self._bundle[start:end])
        places = [path.rpartition("/")[0]] if kind == PACKAGE else None
        return spec_from_file_location(name, path, loader=loader, submodule_search_locations=places)


def install(path):
    """Import from the bundle at `path` what it holds; returns what `sys.path` was when it was made."""
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    try:
        # Without the descriptor: user code may close every number there is, and must still be able to import.
        bundle = memoryview(mmap(descriptor, 0, access=ACCESS_READ, trackfd=False))
    finally:
        close(descriptor)
    search_path, roots, directories = loads(bundle[int.from_bytes(bundle[:8], "big"):])
    changed = [root for root, changed_at in roots.items() if int(stat(root).st_mtime) != changed_at]

    def finder(directory):
        place = directories.get(directory)
        if place is None or any(directory == root or directory.startswith(root + "/") for root in changed):
            raise ImportError
        return BundledFinder(directory, loads(bundle[place[0]:place[1]]), bundle)

    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.clear()
    return search_path


def add_site_builtins():
    """What `site` adds for scripts: exit(), quit(), help() and the like. The rest of it only looks for files that are not there."""
    import site

    site.setquit()
    site.setcopyright()
    site.sethelper()


if __name__ == "__main__":
    sys.path[:] = install(LIBRARIES_BUNDLE)
    install(RUNNER_BUNDLE)
    add_site_builtins()
    sys.path.insert(0, RUNNER)
    import main

    main.main()
