"""Recursion with a cache, and what happens without an end."""
from functools import cache, reduce, singledispatch


@cache
def paths(rows, columns):
    return 1 if 0 in (rows, columns) else paths(rows - 1, columns) + paths(rows, columns - 1)


def endless(n):
    return endless(n + 1)


@singledispatch
def describe(value):
    return f"something: {value}"


@describe.register
def _(value: list):
    return f"{len(value)} items"


grid = {n: paths(n, n) for n in (1, 2, 10, 20)}
print(grid, paths.cache_info().currsize)
try:
    endless(0)
except RecursionError as error:
    print(type(error).__name__, error)
factorial = reduce(lambda a, b: a * b, range(1, 31))
print(factorial, describe([1, 2]), describe(3))
