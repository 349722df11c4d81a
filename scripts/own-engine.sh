#!/usr/bin/env bash
# Runs a command against a Docker engine of its own that stores on overlay2, as most engines do, with the runner image of the usual
# one: `scripts/own-engine.sh scripts/bench.sh measure`. As root. The engine ends with the command; nothing of the usual one is touched.
set -euo pipefail
source "$(dirname "$0")/project.sh"

folder=$(mktemp -d /tmp/code-sandbox-engine.XXXXXX)
export DOCKER_HOST=unix://$folder/socket

end() {
  [ ! -s "$folder/pid" ] || kill "$(cat "$folder/pid")" 2>/dev/null || true
  wait
  # The engine leaves it mounted.
  umount "$folder/exec/netns/default" 2>/dev/null || true
  rm -rf "$folder"
}
trap end EXIT

say "starting an engine of our own in $folder"
echo '{}' >"$folder/config.json"
# In a network namespace of its own: it would otherwise take down the bridge of the usual one.
unshare --net dockerd --data-root "$folder/root" --exec-root "$folder/exec" --pidfile "$folder/pid" --host "$DOCKER_HOST" \
  --storage-driver overlay2 --config-file "$folder/config.json" --bridge none --iptables=false >"$folder/log" 2>&1 &
for _ in $(seq 100); do
  docker info >/dev/null 2>&1 && break
  sleep 0.2
done
docker info >/dev/null 2>&1 || fail "the engine did not start: $(tail -n 1 "$folder/log")"
env -u DOCKER_HOST docker save "$runner_image" | docker load --quiet >&2
# It has the image and nothing to build one from.
BENCH_IMAGE_IS_THERE=1 "$@"
