# Every row of the table in docs/CODE.md; result.json is what has to come of it.
import array, collections, dataclasses, datetime, decimal, enum, fractions, ipaddress, pathlib, sqlite3, types, uuid, zoneinfo
import mpmath, networkx, numpy as np, pandas as pd, polars as pl, pyarrow as pa, scipy.sparse, sympy

none, yes, whole, real, text, nan, infinite, longest = None, True, 2**70, 1e-7, "zwölf\n", float("nan"), -float("inf"), 10**5000
a_list, a_tuple, a_range, a_deque, an_array, a_view = [1, [2]], (1, (2,)), range(3), collections.deque([1]), array.array("i", [1, 2]), {"b": 1}.values()
a_set, mixed_set = {3, 1, 2}, frozenset({(1, 2)})
a_dict = {"a": 1, 2: "b", None: 3, True: 4, (1, "x"): 5, datetime.date(2020, 1, 2): 6, 1.5: 7}
Point = collections.namedtuple("Point", "x y")
a_point = Point(1, [2])
@dataclasses.dataclass
class Item:
    name: str
    _price: float = 2.5
an_item = Item("pen")
a_chain = collections.ChainMap({"a": 1}, {"b": 2})
moment = datetime.datetime(2020, 1, 2, 3, 4, 5, 600, tzinfo=zoneinfo.ZoneInfo("Europe/Oslo"))
a_date, a_time = datetime.date(2020, 1, 2), datetime.time(3, 4)
a_delta, negative = datetime.timedelta(days=1, seconds=5.5), datetime.timedelta(hours=-1)
some_bytes, a_bytearray, a_memoryview = b"\xff\x00", bytearray(b"a"), memoryview(b"ab")
class Color(enum.Enum):
    RED = "red"
a_color = Color.RED
a_complex, a_decimal, a_fraction = 1 + 2j, decimal.Decimal("1.10"), fractions.Fraction(1, 3)
an_id, a_path, an_address = uuid.UUID(int=5), pathlib.PurePosixPath("a/b"), ipaddress.ip_network("10.0.0.0/8")
an_mp = mpmath.mpf("0.5")
db = sqlite3.connect(":memory:"); db.row_factory = sqlite3.Row
row = db.execute("select 1 as a, 'x' as b").fetchone(); del db
np_int, np_float, np_bool, np_nan, np_time, np_nat = np.int64(5), np.float32(0.1), np.bool_(True), np.float64("nan"), np.datetime64("2020-01-02T03", "h"), np.datetime64("NaT", "s")
np_array, np_none, np_masked = np.arange(4).reshape(2, 2), np.array(7), np.ma.array([1, 2], mask=[False, True])
np_fields, np_complex, np_matrix = np.array([(1, "x")], dtype=[("n", "i4"), ("s", "U1")]), np.array([1j]), np.matrix([[1, 2]])
a_dtype, pd_dtype = np.dtype("int64"), pd.CategoricalDtype(["a"])
frame = pd.DataFrame({"n": [1, None], "s": ["a", None], "t": pd.to_datetime(["2020-01-01", None]), "c": pd.Categorical(["x", "y"]), "i": pd.array([1, None], dtype="Int64"), "z": pd.to_datetime(["2020-01-01"] * 2).tz_localize("UTC")})
indexed = pd.DataFrame({"v": [1, 2]}, index=pd.Index(["a", "b"], name="k"))
levels = pd.DataFrame({"v": [1]}, index=pd.MultiIndex.from_tuples([("a", 1)], names=["x", None]))
columns = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("v", "sum"), ("v", "")]))
repeated = pd.DataFrame([[1, 2]], columns=["a", "a"])
sparse_frame = pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1])})
series, labelled, joined = pd.Series([1, 2]), pd.Series([1, 2], index=["a", "b"]), pd.Series([1], index=pd.MultiIndex.from_tuples([("a", 1)]))
an_index, a_multi = pd.Index([1, 2]), pd.MultiIndex.from_tuples([("a", 1)])
stamp, span, period, interval, nat, na = pd.Timestamp("2020-01-01T00:00:00.123456789"), pd.Timedelta("1D"), pd.Period("2020-01"), pd.Interval(0, 1), pd.NaT, pd.NA
pl_frame, pl_series, pl_lazy = pl.DataFrame({"a": [1, None]}), pl.Series([1, 2]), type(pl.LazyFrame({"a": [1]})).__name__
table, pa_array = pa.table({"a": [1, 2]}), pa.array([1, None])
coo = scipy.sparse.coo_array(([5], ([0], [1])), shape=(2, 2))
graph = networkx.Graph([("a", "b")])
x = sympy.Symbol("x"); expression, exact = x**2 + 1, sympy.Integer(2); del x
generator = (n for n in [1, 2])
class Plain:
    def __init__(self): self.a, self._b, self.f = 1, 2, print
class Nothing:
    __slots__ = ()
    def __repr__(self): return "nothing"
class Loud(dict):
    def items(self): raise RuntimeError
    def __iter__(self): raise RuntimeError
a_plain, a_nothing, a_loud = Plain(), Nothing(), Loud(a=1)
namespace = types.SimpleNamespace(a=[1])
surrogate = "\ud800"
cycle = []; cycle.append(cycle)
