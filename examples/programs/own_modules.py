"""Modules written and imported, one of them in place of the standard library's, and a look around the installed ones."""
import importlib.metadata
import importlib.resources
import importlib.util
import json
import pkgutil
import sys
from pathlib import Path

Path("statistics.py").write_text("def mean(values):\n    return 'mine'\n")
Path("shop/tax").mkdir(parents=True)
Path("shop/__init__.py").write_text("from .prices import TEA\n")
Path("shop/prices.py").write_text("TEA = 3\n")
Path("shop/tax/norway.py").write_text("from shop.prices import TEA\n\ndef gross():\n    return TEA * 1.25\n")

import statistics  # noqa: E402

import shop  # noqa: E402
from shop.tax import norway  # noqa: E402

price = norway.gross()
print(statistics.mean([1, 2]), shop.TEA, price, sorted(name for name in sys.modules if name.startswith("shop")))
Path("shop/prices.py").write_text("TEA = 40\n")
importlib.reload(sys.modules["shop.prices"])
after = importlib.reload(shop).TEA
print(after, importlib.reload(json) is json, json.loads("[1]"))

parts = [module.name for module in pkgutil.iter_modules(json.__path__)]
known = {name: importlib.util.find_spec(name) is not None for name in ("json", "numpy.linalg", "pandas", "shop.tax", "nothing")}
version = importlib.metadata.version("networkx") == __import__("networkx").__version__
style = importlib.resources.files("matplotlib").joinpath("mpl-data/matplotlibrc").read_text().lstrip("#").split()[0]
failures = []
for statement in ("import nothing", "import json.nothing", "from json import nothing", "from shop import nothing"):
    try:
        exec(statement)
    except ImportError as error:
        failures.append(f"{type(error).__name__}: {error}".replace(str(Path.cwd()), "."))
print(parts, known, version, style, *failures, sep="\n")
