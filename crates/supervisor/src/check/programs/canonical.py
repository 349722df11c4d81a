df = pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]})
df["c"] = df["a"] + df["b"]
assert df.to_dict("list") == {"a": [1, 2, 3], "b": [4, 5, 6], "c": [5, 7, 9]}, df
print(f"pandas {pd.__version__} adds two columns")
