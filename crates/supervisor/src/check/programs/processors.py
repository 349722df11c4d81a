import math
import os
import time

began = time.monotonic()
# One more than may run at once, as far as there may be so many beside the runner's own.
processes = min(math.ceil(cpus) + 1, 32, pids - 4)
for _ in range(processes):
    if os.fork() == 0:
        while time.monotonic() < began + 1:
            pass
        os._exit(0)
used = 0
for _ in range(processes):
    _, _, usage = os.wait4(-1, 0)
    used += usage.ru_utime + usage.ru_stime
took = time.monotonic() - began
# The kernel gives out the time by periods of a tenth of a second: one more may have begun.
assert used < cpus * (took + 0.1) + 0.05, f"{processes} processes had {used:.2f} s of the processors in {took:.2f} s"
reached = "" if min(processes, os.cpu_count()) > cpus else ", which this machine cannot reach"
print(f"{processes} processes had {used:.2f} s of the processors in {took:.2f} s, the limit being {cpus:g}{reached}")
