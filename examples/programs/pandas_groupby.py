"""The README's kind of program: a table, a new column, groups."""
import pandas as pd

sales = pd.DataFrame({
    "city": ["Oslo", "Rome", "Oslo", "Rome", "Bern"],
    "units": [12, 7, 30, 55, 4],
    "price": [2.5, 2.0, 2.5, 1.75, 3.0],
})
sales["revenue"] = sales["units"] * sales["price"]
by_city = sales.groupby("city").agg(units=("units", "sum"), revenue=("revenue", "sum"), orders=("units", "size"))
by_city["share"] = (by_city["revenue"] / by_city["revenue"].sum()).round(4)
print(by_city.sort_values("revenue", ascending=False))
best = by_city["revenue"].idxmax()
print(sales.describe().round(2))
