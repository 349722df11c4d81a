"""Handlers for libraries' values. Nothing is imported: whoever has such a value has the library.

Everything is converted in slices. As Python objects a column is many times its own size, and what does not fit must be
found out before it takes the memory of everything else.
"""

from duration import iso_duration
from encode import CELL_BYTES, CONTAINERS, FEW, SCALARS, SLICE_BYTES, slice_length, unique
from encode_builtins import own_text, write_foreign

NANOSECONDS = {"W": 604_800 * 10**9, "D": 86_400 * 10**9, "h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9,
               "ms": 10**6, "us": 10**3, "ns": 1}


# ---- numpy


def _numpy_scalar(value, base):
    kind = value.dtype.kind
    if kind in "mM":
        return _numpy_times(value.reshape(1))[0]
    if kind == "f":
        return float(value)
    return complex.__repr__(complex(value)) if kind == "c" else value.item()


def _numpy_void(encoder, value, base):
    """A row of a structured array, or bytes without a meaning."""
    encoder.write_value(_numpy_items(value.reshape(1))[0])


def _numpy_array(encoder, value, base):
    # A plain view: what a subclass overrides is out of the way, and np.matrix has rows like everyone.
    array = base.view(value, base)
    if array.ndim == 0:
        encoder.write_value(_numpy_items(array.reshape(1))[0])
        return
    encoder.check(2 * array.size + 2 * array.size // (array.shape[-1] or 1))
    length, size = array.shape[0], max(array.nbytes, CELL_BYTES * array.size)
    if array.ndim > 1 and size > SLICE_BYTES * length:
        encoder.write_parts([array[number]] for number in range(length))
    else:
        encoder.write_sliced(length, lambda start, stop: _numpy_items(array[start:stop]), size)


def _numpy_items(array):
    """The array as nested lists. Of a masked array None stands for what is masked."""
    kind, names = array.dtype.kind, array.dtype.names
    if names is not None:
        if array.ndim > 1:
            return [_numpy_items(row) for row in array]
        columns = [_numpy_items(array[name]) for name in names]
        return [dict(zip(names, row)) for row in zip(*columns)] if names else [{} for _ in array]
    if kind in "mM":
        return _numpy_times(array)
    if array.dtype.char in "gG":
        # tolist() leaves long doubles as they are.
        array = array.astype("d" if kind == "f" else "D")
    return array.tolist()


def _numpy_times(array):
    """datetime64 as ISO 8601, timedelta64 as ISO 8601 durations, NaT as None; nested lists."""
    unit, _, _ = array.dtype.str.partition("[")[2].partition("]")
    letters = unit.lstrip("0123456789")
    size = int(unit.removesuffix(letters) or 1)
    if array.dtype.kind == "m" and letters in NANOSECONDS:
        size *= NANOSECONDS[letters]
        return _nested(array.astype("i8").tolist(), lambda number: iso_duration(number * size))
    if array.dtype.kind == "m" and letters in ("Y", "M"):
        return _nested(array.astype("i8").tolist(), lambda number: f"{'-' if number < 0 else ''}P{abs(number * size)}{letters}")
    # Parts of a nanosecond, and spans of no unit, are numpy's text.
    return _nested(array.astype("U").tolist(), str)


def _nested(items, convert):
    if type(items) is list:
        return [_nested(item, convert) for item in items]
    return None if items in (None, "NaT", -2**63) else convert(items)


# ---- pandas


def _pandas_frame(encoder, value, base):
    frame = value if type(value) is base else base(value)
    length, width = frame.shape
    encoder.check(length * (2 + 2 * width))
    labels = [_joined(encoder, label) for label in frame.columns.tolist()]
    levels = _index_levels(encoder, frame.index, labels)

    def columns(start, stop):
        part = frame if stop - start == length else frame.iloc[start:stop]
        index = [part.index.get_level_values(number).tolist() for _, number in levels]
        return index + [series.tolist() if length <= FEW else _pandas_items(series) for _, series in part.items()]

    size = sum([series.nbytes for _, series in frame.items()]) if length > FEW else 0
    encoder.write_records([name for name, _ in levels] + labels, length, columns, size)


def _index_levels(encoder, index, labels):
    """[(name, number)] of the index levels that become columns, named as reset_index() would."""
    names = list(index.names)
    if names == [None] and index.dtype.kind in "iu":
        return []  # what sorting and filtering leave of the row numbers
    spare = ["index"] if len(names) == 1 and "index" not in labels else [f"level_{number}" for number in range(len(names))]
    keys = [None if name is None else _joined(encoder, name) for name in names]
    return [(spare[number] if key is None or key in labels else key, number) for number, key in enumerate(keys)]


def _pandas_series(encoder, value, base):
    series = value if type(value) is base else base(value)
    index, length = series.index, len(series)
    encoder.check(2 * length)
    size = series.nbytes if length > FEW else 0
    step = slice_length(length, size)
    cuts = [(start, min(start + step, length)) for start in range(0, length, step)]

    def values(start, stop):
        return _pandas_items(series if stop - start == length else series.iloc[start:stop])

    def labels(start, stop):
        return (index if stop - start == length else index[start:stop]).tolist()

    first = labels(*cuts[0]) if cuts else []
    if all(_count(labels(*cut) if cut[0] else first, cut[0]) for cut in cuts) and (length or index.dtype.kind in "iu"):
        encoder.write_sliced(length, values, size)
        return
    names, least = [], 0
    for cut in cuts:
        part = [_joined(encoder, label) for label in (labels(*cut) if names else first)]
        least += sum([len(name) + 4 for name in part])
        encoder.check(least)
        names += part
    names = unique(names)
    encoder.write_members(list(zip(names[start:stop], values(start, stop))) for start, stop in cuts)


def _count(labels, start):
    """Whether they say nothing but the position: 0, 1, 2 and so on."""
    # Comparing labels of other types could run anything, and say "equal" of 0.0 and 0.
    return set(map(type, labels)) == {int} and labels == list(range(start, start + len(labels)))


def _pandas_array(encoder, value, base):
    """Index, MultiIndex and the extension arrays."""
    encoder.write_sliced(len(value), lambda start, stop: _pandas_items(value[start:stop]), value.nbytes)


def _pandas_items(part):
    if type(part.dtype).__name__ == "SparseDtype":
        part = part.to_numpy()  # one by one each item takes a third of a millisecond
    return part.tolist()


def _joined(encoder, label):
    """A label as a string; of a MultiIndex its levels joined, without the empty ones that stand for "nothing here"."""
    if type(label) is not tuple:
        return encoder.key(label)
    return "_".join([part for part in map(encoder.key, label) if part])


def _timedelta(value, base):
    return iso_duration(((value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds) * 1_000 + value.nanoseconds)


# ---- polars and pyarrow


def _polars_frame(encoder, value, base):
    def columns(start, stop):
        return [_polars_items(series) for series in base.slice(value, start, stop - start).get_columns()]

    encoder.write_records(list(value.columns), value.height, columns, value.estimated_size())


def _polars_series(encoder, value, base):
    encoder.write_sliced(len(value), lambda start, stop: _polars_items(base.slice(value, start, stop - start)),
                         value.estimated_size())


def _polars_items(series):
    if "time_unit='ns'" in str(series.dtype):
        return series.to_arrow().to_pylist()  # to_list() would cut them to microseconds
    return series.to_list()


def _arrow_table(encoder, value, base):
    def columns(start, stop):
        part = base.slice(value, start, stop - start)
        return [column.to_pylist() for column in part.columns]

    encoder.write_records(list(value.schema.names), value.num_rows, columns, value.nbytes)


def _arrow_array(encoder, value, base):
    encoder.write_sliced(len(value), lambda start, stop: base.slice(value, start, stop - start).to_pylist(), value.nbytes)


def _arrow_scalar(encoder, value, base):
    encoder.write_value(value.as_py())


# ---- scipy and networkx


def _sparse(encoder, value, base):
    """What scipy.sparse.coo_array((data, coords), shape) takes."""
    encoder.check(4 * value.nnz)
    entries = value.tocoo()
    encoder.write_object([("shape", entries.shape), ("coords", entries.coords), ("data", entries.data)])


def _graph(encoder, value, base):
    """Node-link data, as networkx.node_link_data() gives it."""
    multigraph = value.is_multigraph()
    encoder.check(9 * len(value) + 24 * value.number_of_edges())
    nodes = [{**data, "id": node} for node, data in value.nodes(data=True)]
    if multigraph:
        edges = [{**data, "source": a, "target": b, "key": key} for a, b, key, data in value.edges(keys=True, data=True)]
    else:
        edges = [{**data, "source": a, "target": b} for a, b, data in value.edges(data=True)]
    encoder.write_object([("directed", value.is_directed()), ("multigraph", multigraph), ("graph", value.graph),
                          ("nodes", nodes), ("edges", edges)])


def _degrees(encoder, value, base):
    write_foreign(encoder, value)


SCALARS.update({
    ("numpy", "generic"): _numpy_scalar,
    ("numpy", "dtype"): own_text,
    ("pandas", "NaTType"): lambda value, base: None,
    ("pandas", "NAType"): lambda value, base: None,
    ("pandas", "Timestamp"): lambda value, base: base.isoformat(value),
    ("pandas", "Timedelta"): _timedelta,
    ("pandas", "Period"): own_text,
    ("pandas", "Interval"): own_text,
    ("pandas", "ExtensionDtype"): own_text,
    ("sympy", "Printable"): lambda value, base: str.__str__(repr(value)),
})

CONTAINERS.update({
    ("numpy", "ndarray"): _numpy_array,
    ("numpy", "MaskedArray"): _numpy_array,
    ("numpy", "void"): _numpy_void,
    ("numpy", "bytes_"): lambda encoder, value, base: encoder.write_value(value.item()),
    ("pandas", "DataFrame"): _pandas_frame,
    ("pandas", "Series"): _pandas_series,
    ("pandas", "Index"): _pandas_array,
    ("pandas", "ExtensionArray"): _pandas_array,
    ("polars", "DataFrame"): _polars_frame,
    ("polars", "Series"): _polars_series,
    ("pyarrow", "Table"): _arrow_table,
    ("pyarrow", "RecordBatch"): _arrow_table,
    ("pyarrow", "Array"): _arrow_array,
    ("pyarrow", "ChunkedArray"): _arrow_array,
    ("pyarrow", "Scalar"): _arrow_scalar,
    ("scipy", "_spbase"): _sparse,
    ("networkx", "Graph"): _graph,
    ("networkx", "DiDegreeView"): _degrees,
})
