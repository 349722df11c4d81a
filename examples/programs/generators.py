"""Infinite generators, sent values, and a class that iterates."""
from itertools import count, islice, takewhile


def primes():
    found = []
    for n in count(2):
        if all(n % p for p in takewhile(lambda p: p * p <= n, found)):
            found.append(n)
            yield n


def average():
    total, n, mean = 0, 0, None
    while True:
        total, n = total + (yield mean), n + 1
        mean = total / n


class Countdown:
    def __init__(self, start):
        self.start = start

    def __iter__(self):
        yield from range(self.start, 0, -1)


first = list(islice(primes(), 15))
running = average()
next(running)
means = [running.send(value) for value in (10, 20, 60)]
print(first, means, *Countdown(3))
running.close()
del running
