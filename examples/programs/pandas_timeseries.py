"""A series of days: resampled, rolled, shifted, in a time zone."""
import numpy as np
import pandas as pd

days = pd.date_range("2024-01-01", periods=60, freq="D", tz="Europe/Oslo")
series = pd.Series(np.round(10 + 5 * np.sin(np.arange(60) / 9), 3), index=days, name="temperature")
monthly = series.resample("MS").agg(["mean", "min", "max"]).round(2)
print(monthly)
smooth = series.rolling("7D").mean().iloc[[6, 30, -1]].round(3)
print(smooth)
coldest = series.idxmin()
change = round(float(series.diff().abs().max()), 3)
by_weekday = series.groupby(series.index.day_name()).mean().round(2)
print(coldest, change, by_weekday.to_dict())
del days, series
