"""Linear equations solved exactly."""
from fractions import Fraction
from math import comb, gcd, isqrt, lcm


def solve(matrix, vector):
    rows = [[Fraction(value) for value in row] + [Fraction(right)] for row, right in zip(matrix, vector)]
    for i in range(len(rows)):
        pivot = next(r for r in range(i, len(rows)) if rows[r][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for r in range(len(rows)):
            if r != i:
                rows[r] = [a - rows[r][i] * b for a, b in zip(rows[r], rows[i])]
    return [row[-1] for row in rows]


solution = solve([[2, 1, -1], [-3, -1, 2], [-2, 1, 4]], [8, -11, 2])
print(*solution)
harmonic = sum(Fraction(1, n) for n in range(1, 21))
numbers = [gcd(84, 126), lcm(4, 6, 10), isqrt(10**20), comb(40, 20), 2**100]
print(harmonic, float(harmonic), numbers)
