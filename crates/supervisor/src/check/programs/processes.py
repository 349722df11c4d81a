import threading

end = threading.Event()
started = 0
try:
    while started < pids:
        threading.Thread(target=end.wait).start()
        started += 1
except RuntimeError:
    pass
end.set()
assert started < pids, f"{started} threads could be started"
print(f"refused beyond {started} threads, the limit of the trial being {pids}")
