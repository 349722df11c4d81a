"""A lazy query in Polars."""
import polars as pl

trips = pl.DataFrame({
    "driver": ["ann", "bob", "ann", "cid", "bob", "ann"],
    "km": [12.5, 3.0, 40.0, 8.25, 22.0, 5.5],
    "day": ["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02", "2024-01-03", "2024-01-03"],
}).with_columns(pl.col("day").str.to_date())
query = (
    trips.lazy()
    .filter(pl.col("km") > 4)
    .group_by("driver")
    .agg(pl.len().alias("trips"), pl.col("km").sum().alias("total"), pl.col("day").max().alias("last"))
    .sort("total", descending=True)
)
report = query.collect()
print(report)
longest = trips.select(pl.col("km").max().over("driver")).to_series().to_list()
print(longest)
del query, trips
