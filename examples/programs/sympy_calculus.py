"""Derivatives, integrals, limits, series: exact."""
import sympy as sp

x = sp.Symbol("x")
f = sp.sin(x) * sp.exp(-x)
derivative = sp.diff(f, x)
integral = sp.integrate(x**2 * sp.exp(-x), (x, 0, sp.oo))
limit = sp.limit(sp.sin(3 * x) / x, x, 0)
series = sp.series(sp.cos(x), x, 0, 8)
print(derivative, integral, limit, series, sep="\n")
sp.pprint(sp.Integral(1 / (1 + x**2), x), use_unicode=False)
area = sp.integrate(1 / (1 + x**2), (x, -sp.oo, sp.oo))
print(area, sp.N(area, 20), sp.latex(derivative))
digits = str(sp.N(sp.pi, 30))
