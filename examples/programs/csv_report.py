"""Write a CSV file, read it back, and sum by group."""
import csv
from collections import defaultdict
from pathlib import Path

rows = [("city", "product", "sold"), ("Oslo", "tea", 12), ("Oslo", "coffee, black", 30), ("Rome", "tea", 7), ("Rome", "coffee, black", 55)]
path = Path("sales.csv")
with path.open("w", newline="", encoding="utf-8") as file:
    csv.writer(file).writerows(rows)
print(path.read_text(encoding="utf-8"))

sold = defaultdict(int)
with path.open(newline="", encoding="utf-8") as file:
    for record in csv.DictReader(file):
        sold[record["product"]] += int(record["sold"])
del record, file
print(dict(sold))
