"""Two tables joined, missing values filled, the rest reshaped."""
import pandas as pd

people = pd.DataFrame({"id": [1, 2, 3], "name": ["Ada", "Grace", "Linus"]})
scores = pd.DataFrame({"id": [1, 1, 2, 4], "subject": ["maths", "art", "maths", "art"], "points": [95, 71, 88, 50]})
joined = people.merge(scores, on="id", how="outer", indicator=True)
print(joined)
table = joined.dropna(subset=["name", "subject"]).pivot_table(index="name", columns="subject", values="points", fill_value=0)
print(table)
long = table.reset_index().melt(id_vars="name", value_name="points").sort_values(["name", "subject"], ignore_index=True)
missing = joined.isna().sum().to_dict()
print(missing)
