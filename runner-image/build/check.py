"""Proves that the image's Python can do what the image promises: every library imports and does a small piece of work.

Run by the image's own build, and by hand in a container as strict as the control plane's. Writes to /tmp only.
"""

import io
import os
import pathlib
import sys
import tempfile


def standard_library():
    import bz2, ctypes, curses, dbm.sqlite3, decimal, lzma, readline, sqlite3, ssl, uuid, zlib  # noqa: E401, F401
    import zoneinfo

    assert sqlite3.connect(":memory:").execute("select 6 * 7").fetchone() == (42,)
    assert zoneinfo.ZoneInfo("Europe/Berlin").key in zoneinfo.available_timezones()
    assert ssl.OPENSSL_VERSION


def processes():
    import concurrent.futures

    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        assert list(pool.map(abs, [-1, -2, -3])) == [1, 2, 3]


def tables(folder):
    import numpy as np
    import openpyxl  # noqa: F401
    import pandas as pd
    import polars as pl
    import pyarrow  # noqa: F401

    frame = pd.DataFrame({"name": ["a", "b", "a"], "value": [1.5, 2.0, 4.5]})
    assert frame.groupby("name")["value"].sum().to_dict() == {"a": 6.0, "b": 2.0}
    assert np.linalg.solve(np.eye(3), np.ones(3)).tolist() == [1.0, 1.0, 1.0]
    frame.to_excel(folder / "frame.xlsx", index=False)
    frame.to_parquet(folder / "frame.parquet")
    assert pd.read_excel(folder / "frame.xlsx").equals(frame)
    assert pd.read_parquet(folder / "frame.parquet").equals(frame)
    assert "<table" in frame.style.to_html() and frame.to_markdown().startswith("|") and "tabular" in frame.to_latex()
    assert pl.read_parquet(folder / "frame.parquet")["value"].sum() == 8.0
    assert pl.from_pandas(frame).to_pandas()["value"].tolist() == [1.5, 2.0, 4.5]
    assert pd.date_range("2026-01-01", periods=2, tz="Asia/Tokyo")[1].isoformat() == "2026-01-02T00:00:00+09:00"


def pictures(folder):
    # As the runner does at its start: matplotlib finds the fonts' list in its own folder and need not look for fonts.
    config = pathlib.Path(os.environ["MPLCONFIGDIR"])
    config.mkdir(parents=True, exist_ok=True)
    cache = list(pathlib.Path(os.environ["SANDBOX_FONT_CACHE"]).iterdir())
    for file in cache:
        if not (config / file.name).is_symlink():
            (config / file.name).symlink_to(file)

    import matplotlib.font_manager
    import matplotlib.pyplot as plt
    import PIL.Image
    import seaborn as sns

    plt.plot([1])
    plt.show()
    assert matplotlib.get_backend().endswith("backend_sandbox") and not plt.get_fignums(), "show() is not the sandbox's"
    version = matplotlib.font_manager.FontManager.__version__
    assert [file.name for file in cache] == [f"fontlist-v{version}.json"]
    assert (config / cache[0].name).is_symlink(), "matplotlib threw the font cache away and made its own"
    assert all(os.path.exists(font.fname) for font in matplotlib.font_manager.fontManager.ttflist)

    sns.lineplot(x=[1, 2, 3], y=[1, 4, 9])
    plt.title("$x^2$")
    plt.savefig(folder / "plot.png")
    assert PIL.Image.open(folder / "plot.png").size == (640, 480)


def science():
    import networkx as nx
    import numpy as np
    import scipy.optimize
    import scipy.stats
    import statsmodels.api as sm
    import statsmodels.formula.api as smf
    import sympy
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LinearRegression

    x = np.arange(20.0).reshape(-1, 1)
    y = 3 * x.ravel() + 1
    assert abs(LinearRegression().fit(x, y).coef_[0] - 3) < 1e-9
    assert RandomForestClassifier(n_estimators=5, n_jobs=2).fit(x, y > 20).score(x, y > 20) > 0.9
    assert abs(sm.OLS(y, sm.add_constant(x)).fit().params[1] - 3) < 1e-9
    assert abs(smf.ols("y ~ x", {"x": x.ravel(), "y": y}).fit().params["x"] - 3) < 1e-9
    assert abs(scipy.optimize.brentq(lambda v: v * v - 2, 0, 2) ** 2 - 2) < 1e-9
    assert scipy.stats.norm.cdf(0) == 0.5
    assert str(sympy.integrate(sympy.Symbol("x") ** 2)) == "x**3/3"
    assert nx.shortest_path(nx.path_graph(4), 0, 3) == [0, 1, 2, 3]


def documents():
    import bs4
    import lxml.etree

    assert lxml.etree.fromstring("<a><b>c</b></a>").findtext("b") == "c"
    assert bs4.BeautifulSoup("<p>hello", "lxml").p.text == "hello"
    assert bs4.BeautifulSoup(io.StringIO("<p>hello"), "html.parser").p.text == "hello"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = pathlib.Path(name)
        standard_library()
        processes()
        tables(folder)
        pictures(folder)
        science()
        documents()
    print(f"Python {sys.version.split()[0]}: every library of the image imports and works")
