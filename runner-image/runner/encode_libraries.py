"""Handlers for numpy, pandas, polars and pyarrow. Nothing is imported: whoever has such a value has the library.

Documented choices for tables: an array of records, one object a row. Index levels that have a name come first as columns,
unless a column has that name. An index without a name is dropped if it holds integers (what sorting and filtering leave of
the row numbers), else it is the column "index", as reset_index() calls it: without it describe() would be unreadable.
Repeated column names get ".1", ".2"; the levels of a column label are joined with "_". A Series is an array if its index is
0..n-1, else an object by label.
"""

from duration import iso_duration
from encode import CONTAINERS, SCALARS, SLICE, unique

NANOSECONDS = {"W": 604_800 * 10**9, "D": 86_400 * 10**9, "h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9,
               "ms": 10**6, "us": 10**3, "ns": 1}


# ---- numpy


def _numpy_scalar(value, base):
    kind = value.dtype.kind
    if kind in "mM":
        return _numpy_times(value.reshape(1))[0]
    if kind == "g" or kind == "f":
        return float(value)
    return complex.__repr__(complex(value)) if kind == "c" else value.item()


def _numpy_void(encoder, value, base):
    """A row of a structured array, or bytes without a meaning."""
    names = value.dtype.names
    encoder.write_value(value.item() if names is None else dict(zip(names, value.item())))


def _numpy_array(encoder, value, base):
    # A plain view: what a subclass overrides is out of the way, and np.matrix has rows like everyone.
    array = base.view(value, base)
    encoder.check(2 * array.size)
    if array.ndim == 0:
        encoder.write_value(array.item() if array.dtype.kind not in "mM" else array[()])
    elif array.dtype.kind in "mM":
        encoder.write_value(_numpy_times(array))
    elif array.dtype.names is not None:
        encoder.write_value(_structured(array.tolist(), array.dtype.names, array.ndim))
    else:
        # Slices along the first axis, each small enough that its Python objects do not matter.
        rows = max(1, 4 * SLICE * len(array) // max(1, array.size))
        encoder.write("[")
        for start in range(0, len(array), rows):
            if start:
                encoder.write(",")
            encoder.write_items(_plain_items(array[start:start + rows]))
        encoder.write("]")


def _plain_items(array):
    if array.dtype.char in "gG":
        # tolist() leaves long doubles as they are.
        array = array.astype("d" if array.dtype.char == "g" else "D")
    return array.tolist()


def _numpy_masked(encoder, value, base):
    encoder.check(2 * value.size)
    encoder.write_value(base.tolist(value))


def _structured(items, names, depth):
    if depth == 0:
        return dict(zip(names, items))
    return [_structured(item, names, depth - 1) for item in items]


def _numpy_times(array):
    """datetime64 as ISO 8601, timedelta64 as ISO 8601 durations, NaT as None; nested lists."""
    if array.dtype.kind == "M":
        return _nested(array.astype("U").tolist(), lambda text: None if text == "NaT" else text)
    unit, _, _ = array.dtype.str.partition("[")[2].partition("]")
    count, letters = unit.rstrip("abcdefghijklmnopqrstuvwxyzWDYM"), unit.lstrip("0123456789")
    size = NANOSECONDS.get(letters)
    if size is None:  # years, months, parts of a nanosecond: no duration has them
        return _nested(array.astype("U").tolist(), lambda text: None if text == "NaT" else text)
    size *= int(count or 1)
    not_a_time = -2**63
    return _nested(array.astype("i8").tolist(), lambda number: None if number == not_a_time else iso_duration(number * size))


def _nested(items, convert):
    return [_nested(item, convert) if type(item) is list else convert(item) for item in items]


# ---- pandas


def _pandas_frame(encoder, value, base):
    frame = value if type(value) is base else base(value)
    length = len(frame)
    labels = [_joined(encoder, label) for label in frame.columns.tolist()]
    encoder.check(length * (2 + 2 * len(labels)))
    names = list(frame.index.names)
    if names == [None] and frame.index.dtype.kind not in "iu" and length:
        names = ["index"]
    levels = [(encoder.key(name), number) for number, name in enumerate(names) if name is not None]
    levels = [(name, number) for name, number in levels if name not in labels]

    def columns(start, stop):
        part = frame if stop - start == length else frame.iloc[start:stop]
        index = [part.index.get_level_values(number).tolist() for _, number in levels]
        return index + [series.tolist() for _, series in part.items()]

    encoder.write_records([name for name, _ in levels] + labels, length, columns)


def _pandas_series(encoder, value, base):
    series = value if type(value) is base else base(value)
    encoder.check(2 * len(series))
    values, labels = series.tolist(), series.index.tolist()
    # Comparing labels of other types could run anything, and say "equal" of 0.0 and 0.
    if all([type(label) is int for label in labels]) and labels == list(range(len(labels))):
        encoder.write_array(values, len(values))
    else:
        encoder.write_object(list(zip(unique([_joined(encoder, label) for label in labels]), values)))


def _pandas_array(encoder, value, base):
    """Index, MultiIndex and the extension arrays."""
    encoder.check(2 * len(value))
    items = value.tolist()
    encoder.write_array(items, len(items))


def _joined(encoder, label):
    """A label as a string; of a MultiIndex its levels joined, without the empty ones that stand for "nothing here"."""
    if type(label) is not tuple:
        return encoder.key(label)
    return "_".join([part for part in map(encoder.key, label) if part])


def _timedelta(value, base):
    return iso_duration(((value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds) * 1_000 + value.nanoseconds)


def _string(value, base):
    return str.__str__(base.__str__(value))


# ---- polars and pyarrow


def _polars_frame(encoder, value, base):
    def columns(start, stop):
        return [series.to_list() for series in base.slice(value, start, stop - start).get_columns()]

    encoder.write_records(list(value.columns), value.height, columns)


def _arrow_table(encoder, value, base):
    def columns(start, stop):
        part = base.slice(value, start, stop - start)
        return [column.to_pylist() for column in part.columns]

    encoder.write_records(list(value.schema.names), value.num_rows, columns)


def _polars_series(encoder, value, base):
    encoder.check(2 * len(value))
    items = base.to_list(value)
    encoder.write_array(items, len(items))


def _arrow_array(encoder, value, base):
    encoder.check(2 * len(value))
    items = base.to_pylist(value)
    encoder.write_array(items, len(items))


def _arrow_scalar(encoder, value, base):
    encoder.write_value(value.as_py())


SCALARS.update({
    ("numpy", "generic"): _numpy_scalar,
    ("pandas", "NaTType"): lambda value, base: None,
    ("pandas", "NAType"): lambda value, base: None,
    ("pandas", "Timestamp"): lambda value, base: base.isoformat(value),
    ("pandas", "Timedelta"): _timedelta,
    ("pandas", "Period"): _string,
    ("pandas", "Interval"): _string,
})

CONTAINERS.update({
    ("numpy", "ndarray"): _numpy_array,
    ("numpy", "MaskedArray"): _numpy_masked,
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
})
