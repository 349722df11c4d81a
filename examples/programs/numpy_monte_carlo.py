"""Pi by chance, and a histogram, from a seeded generator."""
import numpy as np

rng = np.random.default_rng(2024)
points = rng.random((200_000, 2))
pi = float(4 * np.mean((points**2).sum(axis=1) < 1))
print(f"pi is about {pi:.4f}")
rolls = rng.integers(1, 7, size=(10_000, 2)).sum(axis=1)
counts, edges = np.histogram(rolls, bins=np.arange(2, 14))
for total, count in zip(edges, counts):
    print(f"{total:>2} {'*' * (count // 100)}")
quantiles = np.percentile(rolls, [5, 50, 95])
print(quantiles)
del rng, points, rolls, total, count
