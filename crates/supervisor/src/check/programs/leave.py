import os
import subprocess
import sys

for folder in "/workspace", "/tmp", "/dev/shm":
    with open(f"{folder}/left", "w") as file:
        file.write("by one run for the next")
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print(os.uname().nodename)
