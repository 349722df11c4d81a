"""Rows of the result table that need a library; skipped where it is missing, run for real inside the image."""

import importlib.util
import unittest
import warnings

import support
from encode import TooLarge, json_text
from program_types import is_data
from test_encode import encoded

LIBRARIES = ("numpy", "pandas", "polars", "pyarrow", "scipy", "sympy", "networkx", "matplotlib", "PIL", "seaborn", "bs4", "statsmodels")
HAVE = {name: importlib.util.find_spec(name) is not None for name in LIBRARIES}


class LibraryTest(unittest.TestCase):
    def check(self, *rows):
        for value, expected in rows:
            self.assertEqual(encoded(value), expected)


@unittest.skipUnless(HAVE["numpy"], "numpy is not installed")
class Numpy(LibraryTest):
    def test_scalars(self):
        import numpy as np

        self.check((np.int8(3), 3), (np.float32(0.5), 0.5), (np.float64("nan"), None), (np.bool_(True), True),
                   (np.str_("s"), "s"), (np.complex128(1 + 2j), "(1+2j)"), (np.longdouble(1.5), 1.5),
                   (np.bytes_(b"a"), "YQ=="), ({np.int64(1): 2}, {"1": 2}),
                   (np.datetime64("2020-01-02T03"), "2020-01-02T03"), (np.datetime64("NaT", "s"), None),
                   (np.timedelta64(90, "m"), "PT1H30M"), (np.timedelta64("NaT", "s"), None))

    def test_arrays(self):
        import numpy as np

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matrix = np.matrix([[1, 2]])
        record = np.array([(1, "a", np.nan)], dtype=[("x", "i4"), ("y", "U3"), ("z", "f8")])
        self.check((np.arange(3), [0, 1, 2]), (np.array(5), 5), (np.zeros((0, 3)), []), (np.zeros((2, 0)), [[], []]),
                   (np.array([[1.0, np.nan], [np.inf, 2]]), [[1.0, None], [None, 2.0]]), (np.array([1j]), ["1j"]),
                   (np.array([1, "x", None, [1]], dtype=object), [1, "x", None, [1]]), (np.array([True]), [True]),
                   (matrix, [[1, 2]]),
                   (np.array(["2020-01-01", "NaT"], dtype="M8[ns]"), ["2020-01-01T00:00:00.000000000", None]),
                   (np.array([[1]], dtype="m8[s]"), [["PT1S"]]), (record, [{"x": 1, "y": "a", "z": None}]),
                   (record[0], {"x": 1, "y": "a", "z": None}), (np.ma.array([1, 2], mask=[0, 1]), [1, None]), (np.ma.masked, None),
                   (np.arange(20_000).reshape(2, 100, 100), np.arange(20_000).reshape(2, 100, 100).tolist()),
                   (np.arange(30_000.0), list(map(float, range(30_000)))))

    def test_structured_and_masked_arrays(self):
        import numpy as np

        times = np.array(["2020-01-01", "NaT"], dtype="M8[ns]")
        pairs = np.ma.array([(1, 2.0), (3, 4.0)], mask=[(0, 1), (0, 0)], dtype=[("a", "i4"), ("b", "f8")])
        nested = np.zeros(1, dtype=[("p", [("t", "M8[ns]"), ("n", "i4", 2)]), ("s", "m8[Y]")])
        row = {"p": {"t": "1970-01-01T00:00:00.000000000", "n": [0, 0]}, "s": "P0Y"}
        self.check((nested, [row]), (nested[0], row), (nested.reshape(()), row), (nested.reshape(1, 1), [[row]]),
                   (nested.view(np.recarray), [row]), (np.zeros(2, dtype=[]), [{}, {}]),
                   (pairs, [{"a": 1, "b": None}, {"a": 3, "b": 4.0}]), (pairs[0], {"a": 1, "b": None}),
                   (np.ma.array(times, mask=[1, 0]), [None, None]), (np.ma.array(times), ["2020-01-01T00:00:00.000000000", None]),
                   (np.ma.array([[1.5, np.nan]], mask=[[1, 0]]), [[None, None]]), (np.ma.array(5), 5),
                   (np.ma.array(np.array([1, 2], dtype="m8[ns]"), mask=[0, 1]), ["PT0.000000001S", None]))

    def test_times_text_and_types(self):
        import numpy as np

        self.check((np.array([[1, "NaT"]], dtype="m8[25s]"), [["PT25S", None]]), (np.array([-2], dtype="m8[M]"), ["-P2M"]),
                   (np.timedelta64(1500, "ps"), "1500 picoseconds"), (np.array("2020-01-01", dtype="M8[D]"), "2020-01-01"),
                   (np.array([["2020-01-01T05"]], dtype="M8[h]"), [["2020-01-01T05"]]), (np.array([b"a"]), ["YQ=="]),
                   (np.array(["a", "é"]), ["a", "é"]), (np.array([1j, np.nan], dtype="c8"), ["1j", "(nan+0j)"]),
                   (np.array(1j), "1j"), (np.array({"a": 1}), {"a": 1}), (np.array([1.5], dtype="g"), [1.5]),
                   (np.dtype("i4"), "int32"), (np.float32(0.1), 0.10000000149011612), (np.uint64(2**64 - 1), 2**64 - 1),
                   ({(np.str_("a"), np.int64(1)): 1, np.datetime64("2020-01-01"): 2}, {"('a', 1)": 1, "2020-01-01": 2}))

    def test_a_large_array_is_refused_without_being_converted(self):
        import numpy as np

        with self.assertRaises(TooLarge):
            json_text(np.zeros(10**8, dtype="i1"), 1 << 20)


@unittest.skipUnless(HAVE["pandas"], "pandas is not installed")
class Pandas(LibraryTest):
    def test_frames(self):
        import pandas as pd

        frame = pd.DataFrame({"i": [1, 2], "f": [1.5, float("nan")], "s": ["a", None], "o": [[1], {"a": 2}]})
        rows = [{"i": 1, "f": 1.5, "s": "a", "o": [1]}, {"i": 2, "f": None, "s": None, "o": {"a": 2}}]
        grouped = pd.DataFrame({"k": ["a", "a"], "v": [1, 2]}).groupby("k").agg({"v": ["sum", "max"]})
        self.check((frame, rows), (frame[frame.i > 1], rows[1:]), (pd.DataFrame(), []), (pd.DataFrame(index=range(2)), [{}, {}]),
                   (pd.DataFrame([[1, 2, 3]], columns=["a", "a", "b"]), [{"a": 1, "a.1": 2, "b": 3}]),
                   (grouped, [{"k": "a", "v_sum": 3, "v_max": 2}]), (pd.DataFrame([[1, 2]]), [{"0": 1, "1": 2}]),
                   (pd.DataFrame({"v": [1]}, index=["x"]), [{"index": "x", "v": 1}]),
                   (pd.DataFrame({"v": [1]}, index=pd.Index([7], name="id")), [{"id": 7, "v": 1}]),
                   (pd.DataFrame({"v": [1]}, index=pd.Index([7], name="v")), [{"index": 7, "v": 1}]))

    def test_column_types(self):
        import pandas as pd

        frame = pd.DataFrame({
            "d": pd.to_datetime(["2020-01-01", None]).tz_localize("UTC"), "t": pd.to_timedelta(["1h", None]),
            "c": pd.Categorical(["x", None]), "I": pd.array([1, None], dtype="Int64"), "b": pd.array([True, None], dtype="boolean"),
            "p": pd.period_range("2020-01", periods=2, freq="M"), "v": pd.interval_range(0, 2)})
        self.check((frame, [
            {"d": "2020-01-01T00:00:00+00:00", "t": "PT1H", "c": "x", "I": 1, "b": True, "p": "2020-01", "v": "(0, 1]"},
            {"d": None, "t": None, "c": None, "I": None, "b": None, "p": "2020-02", "v": "(1, 2]"}]))

    def test_index_levels(self):
        import pandas as pd

        def frame(index, *columns):
            return pd.DataFrame([[1] * len(columns)], index=index, columns=columns)

        levels = lambda *names: pd.MultiIndex.from_tuples([("a", 2)], names=names)  # noqa: E731
        self.check((frame(levels("k", "n"), "v"), [{"k": "a", "n": 2, "v": 1}]), (frame(levels("k", None), "v"), [{"k": "a", "level_1": 2, "v": 1}]),
                   (frame(levels(None, None), "v"), [{"level_0": "a", "level_1": 2, "v": 1}]),
                   (frame(levels("v", "n"), "v"), [{"level_0": "a", "n": 2, "v": 1}]), (frame(["x"], "index"), [{"level_0": "x", "index": 1}]),
                   (pd.DataFrame({"city": ["a", "a"]}).groupby("city").agg({"city": "count"}), [{"index": "a", "city": 2}]),
                   (pd.DataFrame([[1, 2, 3]], columns=pd.MultiIndex.from_tuples([("a", ""), ("a", 1), ("b", "x")])), [{"a": 1, "a_1": 2, "b_x": 3}]),
                   (pd.DataFrame([[1]], columns=pd.to_datetime(["2020-01-01"])), [{"2020-01-01T00:00:00": 1}]))

    def test_arrow_and_sparse_columns(self):
        import datetime
        import decimal

        import pandas as pd
        import pyarrow as pa

        kinds = {"n": (pa.int64(), 1), "f": (pa.float64(), 0.5), "s": (pa.string(), "a"), "b": (pa.binary(), b"a"),
                 "d": (pa.date32(), datetime.date(2020, 1, 2)), "t": (pa.timestamp("ns"), pd.Timestamp(1)),
                 "z": (pa.timestamp("s", "Europe/Oslo"), pd.Timestamp("2020-01-02T00:00:00Z")), "l": (pa.list_(pa.int8()), [1]),
                 "o": (pa.struct([("x", pa.int8())]), {"x": 1}), "e": (pa.decimal128(5, 2), decimal.Decimal("1.10")),
                 "u": (pa.duration("us"), datetime.timedelta(1)), "m": (pa.map_(pa.string(), pa.int8()), [("k", 1)])}
        row = {"n": 1, "f": 0.5, "s": "a", "b": "YQ==", "d": "2020-01-02", "t": "1970-01-01T00:00:00.000000001",
               "z": "2020-01-02T01:00:00+01:00", "l": [1], "o": {"x": 1}, "e": "1.10", "u": "P1D", "m": [["k", 1]]}
        frame = pd.DataFrame({name: pd.Series([value, None], dtype=pd.ArrowDtype(kind)) for name, (kind, value) in kinds.items()})
        sparse = pd.arrays.SparseArray([0.0, 1.5] * 50_000)
        self.check((frame, [row, dict.fromkeys(row)]), (pd.Series(sparse), [0.0, 1.5] * 50_000), (sparse[:2], [0.0, 1.5]),
                   (pd.DataFrame({"a": sparse[:2]}), [{"a": 0.0}, {"a": 1.5}]), (frame.dtypes.iloc[:2], {"n": "int64[pyarrow]", "f": "double[pyarrow]"}),
                   (pd.DataFrame({"i": [1], "s": ["a"]}).dtypes, {"i": "int64", "s": "str"}))

    def test_series_and_indexes(self):
        import pandas as pd

        self.check((pd.Series([1, 2]), [1, 2]), (pd.Series([1, 2], index=["a", "b"]), {"a": 1, "b": 2}),
                   (pd.Series([1, 2], index=["a", "a"]), {"a": 1, "a.1": 2}), (pd.Series([1, 2], index=[1, 0]), {"1": 1, "0": 2}),
                   (pd.Series([1.0, None], index=[0, 1]), [1.0, None]),
                   (pd.Series([1], index=pd.to_datetime(["2020"])), {"2020-01-01T00:00:00": 1}),
                   (pd.Series([1, 2], index=pd.MultiIndex.from_tuples([("a", 1), ("b", "")])), {"a_1": 1, "b": 2}),
                   (pd.Series([2], index=pd.period_range("2020-01", periods=1, freq="M")), {"2020-01": 2}),
                   (pd.Series([1, 2], index=[0.0, 1.0]), {"0.0": 1, "1.0": 2}), (pd.Series([1])[:0], []),
                   (pd.Series([1], index=["a"])[:0], {}), (pd.Series(range(5000)), list(range(5000))),
                   (pd.Series(range(5000), index=range(1, 5001)), {str(n + 1): n for n in range(5000)}),
                   (pd.RangeIndex(2), [0, 1]), (pd.MultiIndex.from_tuples([("a", 1)]), [["a", 1]]), (pd.Categorical(["x"]), ["x"]))

    def test_scalars(self):
        import pandas as pd

        self.check((pd.NaT, None), (pd.NA, None),
                   (pd.Timestamp("2020-01-01T00:00:00.000000001Z"), "2020-01-01T00:00:00.000000001+00:00"),
                   (pd.Timedelta("1D2h"), "P1DT2H"), (pd.Period("2020-01"), "2020-01"), (pd.Interval(0, 1), "(0, 1]"))

    def test_a_subclass_that_overrides_everything(self):
        import pandas as pd

        class Hostile(pd.DataFrame):
            @property
            def columns(self):
                raise ValueError

            def items(self):
                raise ValueError

            __len__ = __iter__ = items

        self.check((Hostile({"a": [1]}), [{"a": 1}]))

    def test_a_frame_that_shrinks_meanwhile(self):
        import pandas as pd

        class Drops:
            def __repr__(self):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    frame.drop(index=range(1, 5000), inplace=True)
                return "dropped"

        frame = pd.DataFrame({"a": [Drops(), *[[1]] * 4999]})
        rows = encoded(frame)
        self.assertEqual((rows[0], len(frame)), ({"a": "dropped"}, 1))

    def test_a_cell_that_fails_costs_its_table(self):
        import numpy as np
        import pandas as pd

        class Fails:
            def __repr__(self):
                raise ValueError("no")

            __eq__ = __hash__ = __repr__

        for value in (pd.DataFrame({"a": [Fails()]}), pd.Series([Fails()]), np.array([Fails()], dtype=object)):
            with self.assertRaisesRegex(ValueError, "no"):
                encoded(value)


@unittest.skipUnless(HAVE["polars"], "polars is not installed")
class Polars(LibraryTest):
    def test_frames_and_series(self):
        import datetime

        import polars as pl

        frame = pl.DataFrame({"a": [1, None], "l": [[1], [2]], "d": [datetime.date(2020, 1, 2), None], "f": [float("nan"), 1.0]})
        self.check((frame, [{"a": 1, "l": [1], "d": "2020-01-02", "f": None}, {"a": None, "l": [2], "d": None, "f": 1.0}]),
                   (pl.Series([1, 2]), [1, 2]), (pl.DataFrame(), []), (pl.Series([{"a": b"a"}, None]), [{"a": "YQ=="}, None]),
                   (pl.Series(["a"], dtype=pl.Categorical), ["a"]), (pl.Series([1], dtype=pl.Datetime("ns")), ["1970-01-01T00:00:00.000000001"]),
                   (pl.Series([[1]], dtype=pl.List(pl.Duration("ns"))), [["PT0.000000001S"]]),
                   (pl.DataFrame({"a": range(5000)}), [{"a": n} for n in range(5000)]))

    def test_a_lazy_frame_is_not_collected(self):
        import polars as pl

        def fail(frame):
            raise ValueError

        self.assertIn("<LazyFrame", encoded(pl.LazyFrame({"a": [1]}).map_batches(fail)))


@unittest.skipUnless(HAVE["pyarrow"], "pyarrow is not installed")
class Arrow(LibraryTest):
    def test_tables_and_arrays(self):
        import pyarrow as pa

        table = pa.table({"a": [1, None], "b": ["x", "y"]})
        rows = [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
        self.check((table, rows), (table.to_batches()[0], rows), (pa.array([1, 2]), [1, 2]), (table.column("a"), [1, None]),
                   (pa.scalar(5), 5), (pa.table([[1], [2]], names=["a", "a"]), [{"a": 1, "a.1": 2}]),
                   (pa.array(["a", None]).dictionary_encode(), ["a", None]), (pa.array(range(5000)), list(range(5000))))
        self.assertIn("RecordBatchReader", encoded(table.to_reader()))


@unittest.skipUnless(all(HAVE.values()), "not the runner image")
class Others(LibraryTest):
    def test_sparse_matrices(self):
        import scipy.sparse as sp

        expected = {"shape": [2, 3], "coords": [[0], [1]], "data": [1.5]}
        for form in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil"):
            for kind in ("array", "matrix"):
                self.check((getattr(sp, f"{form}_{kind}")([[0, 1.5, 0], [0, 0, 0]]), expected))

    def test_sympy_is_its_text(self):
        import mpmath
        import sympy

        x = sympy.Symbol("x")
        self.check((x**2 + 1, "x**2 + 1"), (sympy.Function("f")(x), "f(x)"), (sympy.Matrix([[1, x]]), "Matrix([[1, x]])"),
                   (sympy.solve(x**2 - 2), ["-sqrt(2)", "sqrt(2)"]), (sympy.Rational(1, 3), "1/3"), ({x: sympy.Integer(1)}, {"x": "1"}),
                   (mpmath.mpf("1.5"), "1.5"))

    def test_graphs(self):
        import networkx as nx

        graph = nx.Graph([("a", 1, {"weight": 2})])
        nodes, edge = [{"id": "a"}, {"id": 1}], {"source": "a", "target": 1}
        self.check((graph, {"directed": False, "multigraph": False, "graph": {}, "nodes": nodes, "edges": [{**edge, "weight": 2}]}),
                   (nx.MultiDiGraph([("a", 1)]),
                    {"directed": True, "multigraph": True, "graph": {}, "nodes": nodes, "edges": [{**edge, "key": 0}]}),
                   (graph.nodes, {"a": {}, "1": {}}), (graph.edges, [["a", 1]]), (graph.degree, {"a": 1, "1": 1}),
                   (graph.adj, {"a": {"1": {"weight": 2}}, "1": {"a": {"weight": 2}}}))
        self.assertEqual(nx.node_link_graph(encoded(graph)).edges["a", 1], {"weight": 2})

    def test_web_like_objects_are_their_repr(self):
        import bs4

        page = bs4.BeautifulSoup("<p>a <b class='c'>b</b></p>", "html.parser")
        self.check((page.p, '<p>a <b class="c">b</b></p>'), (page.find_all("b"), ['<b class="c">b</b>']), (page.b.string, "b"),
                   (page.b.attrs, {"class": ["c"]}))

    def test_drawings_are_no_data(self):
        import matplotlib.pyplot as plt
        import numpy as np
        import pandas as pd
        import seaborn as sns
        from PIL import Image, ImageDraw

        figure, axes = plt.subplots(2, 2)
        self.addCleanup(plt.close, "all")
        axis = axes[0, 0]
        image = Image.new("RGB", (1, 1))
        for drawing in (figure, axis, axes, (figure, axes), axis.plot([1]), axis.bar([1], [1]), axis.boxplot([1, 2]), axis.pie([1]),
                        image, [image], ImageDraw.Draw(image), sns.FacetGrid(pd.DataFrame({"a": [1]}))):
            self.assertFalse(is_data(drawing), drawing)
        for value in ([], {}, (), np.array([]), np.array([1], dtype=object), [1, axis], axis.hist([1]), sns.color_palette(),
                      {"a": figure, "b": 1}):
            self.assertTrue(is_data(value), value)
        self.check(({"a": axis, "b": 1}, {"a": repr(axis), "b": 1}))


@unittest.skipUnless(all(HAVE.values()), "not the runner image")
class WholeRuns(support.RunnerTest):
    def test_what_is_too_large_takes_no_memory_and_no_neighbours(self):
        answer = self.run_code(LARGE, timeout=60)
        self.assertEqual(answer.status, "ok", answer.stderr)
        self.assertEqual(answer.result, {"first": [{"a": 1}], "last": "here"})
        self.assertEqual({entry["name"] for entry in answer.omitted},
                         {"frame", "series", "labelled", "periods", "text", "times", "matrix", "numbers", "table", "arrow", "sparse", "graph"})
        for entry in answer.omitted:
            self.assertIn("result limit of 8 MiB", entry["reason"], entry)

    def test_functions_of_libraries_are_no_data(self):
        answer = self.run_code("from numpy.random import default_rng, seed\nfrom lxml.etree import fromstring\nfrom pyarrow import schema\n"
                               "from sympy import latex\nfrom polars import col\nx = 1")
        self.assertEqual((answer.result, answer.omitted), ({"x": 1}, []))

    def test_figures_are_left_out_in_silence(self):
        answer = self.run_code("import matplotlib.pyplot as plt\nfig, axes = plt.subplots(2)\nlines = axes[0].plot([1, 2])\nx = 1")
        self.assertEqual((answer.result, answer.omitted), ({"x": 1}, []))


LARGE = """
import resource
import networkx as nx, numpy as np, pandas as pd, polars as pl, pyarrow as pa, scipy.sparse as sp
first = pd.DataFrame({"a": [1]})
frame = pd.DataFrame({"a": np.arange(10_000_000), "b": np.zeros(10_000_000)})
series = pd.Series(np.random.default_rng(0).random(4_000_000))
labelled = pd.Series(np.zeros(1_600_000, "i1"), index=np.arange(1_600_000) + 5)
periods = pd.Series(pd.period_range("2000-01-01", periods=2_000_000, freq="s"))
text = pd.DataFrame({"a": ["x" * 100_000] * 3000})
times = np.zeros(4_000_000, "M8[s]")
matrix = np.random.default_rng(0).random((1, 4_000_000))
numbers = range(4_000_000)
table = pl.DataFrame({"a": np.arange(10_000_000)})
arrow = pa.array(np.arange(4_000_000))
sparse = sp.random_array((10_000, 10_000), density=0.019, format="csr", rng=0)
graph = nx.path_graph(320_000)
last = "here"
_limit = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + (160 << 20)
resource.setrlimit(resource.RLIMIT_AS, (_limit, _limit))
"""
