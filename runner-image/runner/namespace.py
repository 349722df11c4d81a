"""The user's `__main__`: what is in it before the code runs, and which of its names are results afterwards."""

import builtins
import keyword
import os
import sys
from _imp import is_builtin, is_frozen
from types import ModuleType

from program_types import is_drawing, is_program
from source import FILENAME, SourceLoader

# Python imports them for itself.
_BEFORE_ANY_SCRIPT = frozenset(("encodings", "_sitebuiltins"))
_RUNNER = os.path.dirname(__file__) + "/"


# Asked of its class, it would be asked of what the code has put there.
names_of = ModuleType.__dict__["__dict__"].__get__


def install_main(execution, inputs, uploaded):
    """A fresh `__main__` module holding the inputs; returns it."""
    main = ModuleType("__main__")
    main.__dict__.update(
        __builtins__=builtins,
        __file__=os.path.join(os.getcwd(), FILENAME),
        __cached__=None,
        __annotations__={},
        __loader__=SourceLoader(execution.source.removeprefix("\ufeff")),
        input_data=execution.input_data,
        data=uploaded,
    )
    main.__dict__.update((name, execution.input_data[key]) for name, key in inputs.keys.items())
    sys.modules["__main__"] = main
    return main


def variable_of(key):
    """The variable that an input becomes; None if it is none, and only in `input_data`."""
    if not key.isidentifier():
        return None
    if not key.isascii():
        # As the parser takes a name in the code.
        from unicodedata import normalize

        key = normalize("NFKC", key)
    # A dunder would change what the module is.
    return None if keyword.iskeyword(key) or key == "input_data" or key[:2] == "__" else key


def give_way(files):
    """Forget what was imported while nobody knew what the request would bring, and what now goes by one of its files: `import`
    finds that first."""
    for path in files:
        folder, _, name = path.rpartition("/")
        top = name.removesuffix(".py") if not folder and name.endswith(".py") else folder if name == "__init__.py" else ""
        if top and not is_builtin(top) and not is_frozen(top) and top not in _BEFORE_ANY_SCRIPT:
            for module in [module for module in sys.modules if module == top or module.startswith(top + ".")]:
                del sys.modules[module]


def hide_runner_modules():
    """Take the runner's own modules out of sys.modules, where a user's module of the same name would find them.

    Returns them: they must outlive this process's last line.
    """
    ours = [name for name, module in sys.modules.items()
            if name != "__main__" and (getattr(module, "__file__", None) or "").startswith(_RUNNER)]
    return [sys.modules.pop(name) for name in ours]


def results(names, aliases):
    """[(name, value)] of the public names that hold data, and of those that hold drawings. Which inputs are unchanged is for
    result.py to find out."""
    data, drawings = [], []
    for name, value in names.copy().items():
        if type(name) is str and not name.startswith("_") and not (name in aliases and value is aliases[name]) \
                and not is_program(value):
            (drawings if is_drawing(value) else data).append((name, value))
    return data, drawings
