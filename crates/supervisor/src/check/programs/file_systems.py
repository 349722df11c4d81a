import os

for folder, most in sizes.items():
    status = os.statvfs(folder)
    size = status.f_blocks * status.f_frsize
    assert 0 < size <= most, f"{folder} has {size} bytes"
    assert status.f_files, f"{folder} has no limit of files"
    assert status.f_flag & os.ST_NOEXEC, f"programs can be run from {folder}"
print(", ".join(f"{folder} {most >> 20} MiB" for folder, most in sizes.items()))
