"""Equations solved by symbols."""
from sympy import Eq, Matrix, Symbol, factor, factorint, simplify, solve, solveset, symbols

x, y = symbols("x y")
roots = solve(x**2 - 5 * x + 6, x)
system = solve([Eq(2 * x + y, 7), Eq(x - y, 2)], [x, y], dict=True)
factored = factor(x**4 - 1)
simple = simplify((x**2 - 1) / (x - 1))
print(roots, system, factored, simple, sep="\n")
n = Symbol("n", positive=True)
positive = solveset(n**2 - 2, n).args[0] if solveset(n**2 - 2, n).args else None
matrix = Matrix([[1, 2], [3, 4]])
inverse = matrix.inv()
primes = factorint(360360)
print(inverse, matrix.det(), primes)
del system, positive
