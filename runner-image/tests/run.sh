#!/bin/sh
# The runner's own tests, some files at a time on each processor, what each lot says in one piece. Runs on the host and, with the
# libraries, in the runner image.
cd "$(dirname "$0")" || exit
# shellcheck disable=SC2016 # for the inner shell
printf '%s\n' test_*.py | xargs -n 5 -P "$(nproc)" sh -c '
  said=$(python3 -B -m unittest "$@" 2>&1)
  status=$?
  printf "%s\n" "$said"
  exit $status' lot
