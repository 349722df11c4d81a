"""A messy CSV made clean."""
import io

import pandas as pd

RAW = """name;joined;salary;department
 Ada Lovelace ;01.02.2020;"4.200,50";R&D
grace hopper;15.07.2019;;r&d
Linus T.;n/a;3.900,00;Kernel
Ada Lovelace;01.02.2020;"4.200,50";R&D
"""
raw = pd.read_csv(io.StringIO(RAW), sep=";", decimal=",", thousands=".", dtype={"joined": str})
clean = raw.assign(
    name=raw["name"].str.strip().str.title(),
    joined=pd.to_datetime(raw["joined"], format="%d.%m.%Y", errors="coerce"),
    department=raw["department"].str.upper().astype("category"),
).drop_duplicates()
clean["salary"] = clean["salary"].fillna(clean["salary"].median())
print(clean.to_string(index=False))
print(clean.dtypes.astype(str).to_dict())
bands = pd.cut(clean["salary"], [0, 4000, 5000], labels=["low", "high"]).value_counts().to_dict()
del raw
