"""A workbook of two sheets written and read again."""
import pandas as pd

budget = pd.DataFrame({"month": ["Jan", "Feb", "Mar"], "planned": [100, 120, 90], "spent": [98.5, 131.25, 90.0]})
summary = budget[["planned", "spent"]].sum().rename("total").to_frame()
with pd.ExcelWriter("budget.xlsx") as writer:
    budget.to_excel(writer, sheet_name="months", index=False)
    summary.to_excel(writer, sheet_name="summary")

sheets = pd.read_excel("budget.xlsx", sheet_name=None)
print({name: sheet.shape for name, sheet in sheets.items()})
months = sheets["months"].eval("over = spent - planned")
print(months)
same = months[["month", "planned", "spent"]].equals(budget)
print(same)
del writer, sheets
