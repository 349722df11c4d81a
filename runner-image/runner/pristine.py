"""Importing from the standard library after user code has had the import system."""

import sys

_modules = sys.modules
_known = {}


def remember():
    """Now, before user code: what is imported, and how, is what import_untouched() goes by."""
    _known.update(modules=dict(_modules), path=list(sys.path), meta_path=list(sys.meta_path), path_hooks=list(sys.path_hooks))


def import_untouched(name):
    """The module as if user code had neither imported, nor replaced, nor shadowed anything. The caller has called regain()."""
    if name in _known["modules"]:
        return _known["modules"][name]
    theirs = sys.modules, dict(_modules), sys.path, sys.meta_path, sys.path_hooks
    try:
        sys.modules = _modules
        _modules.clear()
        _modules.update(_known["modules"])
        sys.path, sys.meta_path, sys.path_hooks = _known["path"], _known["meta_path"], _known["path_hooks"]
        sys.path_importer_cache.clear()
        return __import__(name)
    finally:
        _modules.clear()
        sys.modules, modules, sys.path, sys.meta_path, sys.path_hooks = theirs
        _modules.update(modules)
