"""The same function on threads and on processes."""
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed


def collatz(n):
    steps = 0
    while n != 1:
        n, steps = (n // 2 if n % 2 == 0 else 3 * n + 1), steps + 1
    return steps


def fail(n):
    raise ValueError(f"cannot do {n}")


if __name__ == "__main__":
    numbers = [27, 97, 871, 6171]
    with ThreadPoolExecutor(4) as pool:
        by_threads = list(pool.map(collatz, numbers))
    with ProcessPoolExecutor(2) as pool:
        futures = {pool.submit(collatz, n): n for n in numbers}
        by_processes = {futures[future]: future.result() for future in as_completed(futures)}
        error = repr(pool.submit(fail, 3).exception())
    by_processes = dict(sorted(by_processes.items()))
    print(by_threads, by_processes, error)
    del pool, futures
