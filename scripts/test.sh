#!/usr/bin/env bash
# Everything that CI checks. The images are built beside the lints: each waits for disk and network while the other has the processors.
set -euo pipefail
source "$(dirname "$0")/project.sh"

scripts/docker.sh
log=$(mktemp)
# A process group, which ends with this script.
set -m
scripts/images.sh >"$log" 2>&1 </dev/null &
images=$!
trap 'kill -- "-$images" 2>/dev/null || true; rm -f "$log"' EXIT
scripts/lint.sh
wait "$images" || {
  cat "$log" >&2
  fail "the images could not be built" "see above"
}
scripts/unit.sh
scripts/e2e.sh
