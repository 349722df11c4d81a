"""Python started from Python, with a pipe and an exit status."""
import subprocess
import sys

run = subprocess.run([sys.executable, "-c", "import sys; print(sum(map(int, sys.stdin)))"],
                     input="1\n2\n39\n", capture_output=True, text=True, check=True)
total = int(run.stdout)
failed = subprocess.run([sys.executable, "-c", "raise SystemExit(3)"]).returncode
listing = subprocess.run("printf 'b\\na\\n' | sort", shell=True, capture_output=True, text=True).stdout.split()
print(total, failed, listing, flush=True)
subprocess.run(["echo", "straight to stdout"])
try:
    subprocess.run(["sleep", "5"], timeout=0.05)
except subprocess.TimeoutExpired as error:
    print(error)
del run
