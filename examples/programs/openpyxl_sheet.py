"""A styled sheet with formulas, written cell by cell."""
from openpyxl import Workbook, load_workbook
from openpyxl.styles import Font

book = Workbook()
sheet = book.active
sheet.title = "Costs"
sheet.append(["item", "cost"])
for row in (("rent", 800), ("food", 325.5), ("travel", 120)):
    sheet.append(row)
sheet["B5"] = "=SUM(B2:B4)"
sheet["A1"].font = sheet["B1"].font = Font(bold=True)
sheet.column_dimensions["A"].width = 20
book.save("costs.xlsx")

again = load_workbook("costs.xlsx")["Costs"]
cells = [[cell.value for cell in row] for row in again.iter_rows()]
bold = [cell.coordinate for row in again.iter_rows() for cell in row if cell.font.bold]
dimensions = again.dimensions
print(*cells, bold, dimensions, sep="\n")
del book, sheet, again
