import os

assert os.statvfs("/").f_flag & os.ST_RDONLY, "the root file system is not read-only"
writable = []
for folder, folders, _ in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/sys", "/dev")]
    if os.access(folder, os.W_OK):
        writable.append(folder)
        folders.clear()
assert sorted(writable) == ["/tmp", "/workspace"], f"{writable} can be written"
print("read-only, but for /workspace and /tmp")
