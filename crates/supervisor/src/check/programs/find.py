import os

found = [folder for folder in ("/workspace", "/tmp", "/dev/shm") if os.path.exists(f"{folder}/left")]
assert not found, f"files of the run before are in {found}"
processes = [name for name in os.listdir("/proc") if name.isdigit()]
assert len(processes) <= 2, f"{len(processes)} processes are there"
print("neither files nor processes of the run before")
