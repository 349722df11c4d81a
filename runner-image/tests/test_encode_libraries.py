"""Rows of the result table that need a library; skipped where it is missing, run for real inside the image."""

import importlib.util
import unittest
import warnings

from encode import TooLarge, json_text
from test_encode import encoded

HAVE = {name: importlib.util.find_spec(name) is not None for name in ("numpy", "pandas", "polars", "pyarrow")}


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

    def test_series_and_indexes(self):
        import pandas as pd

        self.check((pd.Series([1, 2]), [1, 2]), (pd.Series([1, 2], index=["a", "b"]), {"a": 1, "b": 2}),
                   (pd.Series([1, 2], index=["a", "a"]), {"a": 1, "a.1": 2}), (pd.Series([1, 2], index=[1, 0]), {"1": 1, "0": 2}),
                   (pd.Series([1.0, None], index=[0, 1]), [1.0, None]),
                   (pd.Series([1], index=pd.to_datetime(["2020"])), {"2020-01-01T00:00:00": 1}),
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


@unittest.skipUnless(HAVE["polars"], "polars is not installed")
class Polars(LibraryTest):
    def test_frames_and_series(self):
        import datetime

        import polars as pl

        frame = pl.DataFrame({"a": [1, None], "l": [[1], [2]], "d": [datetime.date(2020, 1, 2), None], "f": [float("nan"), 1.0]})
        self.check((frame, [{"a": 1, "l": [1], "d": "2020-01-02", "f": None}, {"a": None, "l": [2], "d": None, "f": 1.0}]),
                   (pl.Series([1, 2]), [1, 2]), (pl.DataFrame(), []))


@unittest.skipUnless(HAVE["pyarrow"], "pyarrow is not installed")
class Arrow(LibraryTest):
    def test_tables_and_arrays(self):
        import pyarrow as pa

        table = pa.table({"a": [1, None], "b": ["x", "y"]})
        rows = [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
        self.check((table, rows), (table.to_batches()[0], rows), (pa.array([1, 2]), [1, 2]), (table.column("a"), [1, None]),
                   (pa.scalar(5), 5))
