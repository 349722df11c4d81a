"""Prime numbers counted by a pool of processes."""
import multiprocessing


def is_prime(n):
    return n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))


def count(bounds):
    return sum(map(is_prime, range(*bounds)))


if __name__ == "__main__":
    chunks = [(start, start + 5000) for start in range(0, 20000, 5000)]
    with multiprocessing.Pool(2) as pool:
        counts = pool.map(count, chunks)
    del pool
    for (start, end), found in zip(chunks, counts):
        print(f"{start:>6} to {end:>6}: {found}")
    total = sum(counts)
    print(total, "primes below 20000")
