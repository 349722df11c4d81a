"""Which digits solve SEND + MORE = MONEY? And some combinations on the way."""
from itertools import accumulate, combinations, groupby, pairwise, permutations, product

dice = [sum(roll) for roll in product(range(1, 7), repeat=2)]
odds = {total: len(list(group)) for total, group in groupby(sorted(dice))}
print(odds)
print([tuple(team) for team in combinations("abcd", 2)])
print(list(accumulate([1, 2, 3, 4], lambda a, b: a * b)), list(pairwise("abc")))

solution = None
for s, e, n, d, o, r, y in permutations((0, 2, 3, 4, 5, 6, 7, 8, 9), 7):
    if s and not (d + e - y) % 10 and (
            1000 * s + 100 * e + 10 * n + d + 1000 + 100 * o + 10 * r + e == 10000 + 1000 * o + 100 * n + 10 * e + y):
        solution = {"SEND": 1000 * s + 100 * e + 10 * n + d, "MORE": 1000 + 100 * o + 10 * r + e}
        break
print(solution, "->", sum(solution.values()))
del dice, s, e, n, d, o, r, y
