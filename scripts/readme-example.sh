#!/usr/bin/env bash
# Runs the README's own example, the first fenced block after its marker, against the service on PORT, and prints the answer.
set -euo pipefail
source "$(dirname "$0")/project.sh"

marker='<!-- make up runs this -->'
example=$(awk -v marker="$marker" '
  index($0, marker) { marked = 1; next }
  marked && /^```/ { if (inside) exit; inside = 1; next }
  inside { print }
' README.md)
[ -n "$example" ] || fail "README.md has no fenced block after $marker"
example=${example//:8000/:$PORT}

say "the README's example:"
printf '%s\n' "$example" >&2
answer=$(bash -euo pipefail -c "$example" 2>/dev/null) || fail "the example failed: ${answer:-no answer}"
say "the answer:"
printf '%s\n' "$answer"
[[ $answer =~ \"status\":\ *\"ok\" ]] || fail "the answer's status is not ok"
