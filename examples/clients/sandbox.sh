#!/usr/bin/env bash
# Runs Python in code-sandbox and waits for the answer. Needs curl, and python3 to write and read JSON.
#
#     sandbox.sh '{"values": [1, 2, 3]}' < program.py
#
# Environment: SANDBOX_URL, SANDBOX_KEY (an API key, where the service wants one), SANDBOX_PATIENCE (seconds, at least 1).
set -euo pipefail

input=${1:-}
[ -n "$input" ] || input='{}'
headers=(--header 'Content-Type: application/json')
[ -z "${SANDBOX_KEY:-}" ] || headers+=(--header "Authorization: Bearer $SANDBOX_KEY")
url=${SANDBOX_URL:-http://127.0.0.1:8000}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

request=$(python3 -c '
import json, sys
try:
    given = json.loads(sys.argv[1])
except ValueError as error:
    sys.exit(f"the argument is not JSON: {error}")
print(json.dumps({"code": sys.stdin.read(), "input_data": given}))' "$input")

# --retry asks again on a 429 or 503, after as many seconds as Retry-After says, and on what a proxy in between may answer (408,
# 500, 502, 504): a program that runs twice changes nothing. Into a file, which holds the last answer alone. The request goes to
# curl's stdin: an argument has less room.
error=$(curl --silent --fail-with-body --max-time 120 "${headers[@]}" \
  --retry 1000 --retry-max-time "${SANDBOX_PATIENCE:-60}" \
  --output "$answer" --write-out '%{http_code} %{errormsg}' \
  --data-binary @- "${url%/}/execute_code" <<<"$request") ||
  { printf 'no answer: %s %s\n' "$error" "$(cat "$answer")" >&2 && exit 1; }

python3 -c '
import json, sys
run = json.load(sys.stdin)
print(run["stdout"], end="")
print(run["stderr"], end="", file=sys.stderr)
if run["status"] != "ok":
    sys.exit("{status}: {error}".format_map(run))
print(json.dumps(run["result"]))' <"$answer"
