"""A table to Parquet and back, only two columns of it."""
import pandas as pd
import pyarrow.parquet as pq

frame = pd.DataFrame({
    "when": pd.date_range("2024-05-01", periods=5, freq="h"),
    "sensor": pd.Categorical(["a", "b", "a", "b", "a"]),
    "value": [1.5, None, 2.5, 4.0, 8.0],
})
frame.to_parquet("readings.parquet", compression="zstd")
schema = {field.name: str(field.type) for field in pq.read_schema("readings.parquet")}
print(schema)
part = pd.read_parquet("readings.parquet", columns=["sensor", "value"], filters=[("value", ">", 2)])
print(part)
rows = pq.ParquetFile("readings.parquet").metadata.num_rows
print(rows, pd.read_parquet("readings.parquet").equals(frame))
