"""Threads that share a counter and a queue."""
import queue
import threading

jobs, squares, lock, total = queue.Queue(), {}, threading.Lock(), 0


def work():
    global total
    while (n := jobs.get()) is not None:
        with lock:
            squares[n] = n * n
            total += n
        jobs.task_done()


threads = [threading.Thread(target=work, name=f"worker-{i}") for i in range(4)]
for thread in threads:
    thread.start()
for n in range(100):
    jobs.put(n)
jobs.join()
for thread in threads:
    jobs.put(None)
for thread in threads:
    thread.join()
highest = max(squares.values())
print(total, highest, len(squares), threading.active_count(), threading.current_thread().name)
del jobs, lock, threads, thread, n, squares
