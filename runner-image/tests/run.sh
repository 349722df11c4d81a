#!/bin/sh
# The runner's own tests, some files at a time on each processor. Runs on the host and, with the libraries, in the runner image.
cd "$(dirname "$0")" || exit
printf '%s\n' test_*.py | xargs -n 5 -P "$(nproc)" python3 -B -m unittest
