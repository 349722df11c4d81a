"""Columns in Arrow: nested types, compute functions, IPC."""
import pyarrow as pa
import pyarrow.compute as pc

table = pa.table({
    "name": ["x", "y", None],
    "tags": pa.array([["a", "b"], [], None], pa.list_(pa.string())),
    "price": pa.array([1, 2, 3], pa.int32()),
})
print(table.schema)
sums = {"price": pc.sum(table["price"]).as_py(), "names": pc.count(table["name"]).as_py()}
upper = pc.utf8_upper(table["name"]).to_pylist()
sink = pa.BufferOutputStream()
with pa.ipc.new_stream(sink, table.schema) as writer:
    writer.write_table(table)
again = pa.ipc.open_stream(sink.getvalue()).read_all()
same = again.equals(table)
groups = again.append_column("odd", pc.equal(pc.bit_wise_and(again["price"], 1), 1)).group_by("odd").aggregate([("price", "sum")]).sort_by("price_sum")
print(sums, upper, same, groups.to_pylist(), sep="\n")
del sink, writer
