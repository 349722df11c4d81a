"""An invoice to the cent."""
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
items = [("Keyboard", 2, Decimal("49.95")), ("Cable, 1.5 m", 7, Decimal("3.333")), ("Support, per hour", Decimal("1.25"), Decimal("80"))]

net = Decimal(0)
for name, quantity, price in items:
    line = (quantity * price).quantize(CENT, ROUND_HALF_UP)
    net += line
    print(f"{name:<20}{quantity!s:>5} x {price!s:>6} = {line:>8}")
tax = (net * Decimal("0.19")).quantize(CENT, ROUND_HALF_UP)
total = net + tax
print(f"{'net':<20}{net:>25}\n{'tax 19 %':<20}{tax:>25}\n{'total':<20}{total:>25}")
print("as floats:", 0.1 + 0.2, "as decimals:", Decimal("0.1") + Decimal("0.2"))
