#!/usr/bin/env bash
# Runs a command against a Docker engine of its own that stores on overlay2, as most engines do, with the runner image of the usual
# one: `scripts/own-engine.sh scripts/bench.sh measure`. As root. The engine ends with the command; nothing of the usual one is touched.
# OWN_ENGINE_MEMORY=4g: all of it lies in memory, in a file system of that size.
# OWN_ENGINE_BRIDGE=1: it can publish ports, has all images, and the command runs in its network:
# `OWN_ENGINE_BRIDGE=1 OWN_ENGINE_MEMORY=8g scripts/own-engine.sh scripts/faults.sh`.
#
# The command has the engine's folder as $OWN_ENGINE, and may stop the engine and start it again:
# `scripts/own-engine.sh --stop FOLDER`, `--start FOLDER`; FOLDER/pid is its process, FOLDER/log what it says.
set -euo pipefail
source "$(dirname "$0")/project.sh"

# The engine's network is that of this script, once that has started itself again in one of its own.
if [ -n "${OWN_ENGINE_BRIDGE:-}" ] && [ -z "${own_network:-}" ]; then
  make images >&2
  own_network=1 exec unshare --net scripts/own-engine.sh "$@"
fi

# runs PID: it is one of an engine, and not what has got its number since. One that nobody waits for stays as a zombie.
runs() { [[ $(ps -o stat= -o comm= -p "$1") == [!Z]*\ @(dockerd|containerd) ]]; }

# ends FILE: the process whose id the file holds, and be it by force.
ends() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  if runs "$pid"; then
    # Frozen, it hears of the first with the second.
    kill "$pid" 2>/dev/null || true
    kill -CONT "$pid" 2>/dev/null || true
    for _ in $(seq 150); do
      runs "$pid" || break
      sleep 0.2
    done
    ! runs "$pid" || kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -f "$1"
}

start() {
  # An engine that was killed leaves both files, and would take a zombie for a process.
  ends "$1/pid"
  ends "$1/exec/containerd/containerd.pid"
  # In a network namespace of its own: it would otherwise take down the bridge of the usual one. In a session of its own: who
  # starts it again may end before it does.
  local network=(unshare --net) bridge=(--bridge none)
  [ -z "${OWN_ENGINE_BRIDGE:-}" ] || network=() bridge=()
  setsid "${network[@]}" dockerd --data-root "$1/root" --exec-root "$1/exec" --pidfile "$1/pid" --host "unix://$1/socket" \
    --storage-driver overlay2 --config-file "$1/config.json" "${bridge[@]}" --iptables=false </dev/null >>"$1/log" 2>&1 &
  for _ in $(seq 150); do
    docker --host "unix://$1/socket" info >/dev/null 2>&1 && return
    sleep 0.2
  done
  fail "the engine did not start: $(tail -n 1 "$1/log")"
}

case ${1:-} in
--start) start "$2" && exit ;;
--stop) ends "$2/pid" && exit ;;
esac

folder=$(mktemp -d /tmp/code-sandbox-engine.XXXXXX)

end() {
  ends "$folder/pid"
  # Left by an engine that was killed: containerd and its shims.
  pgrep -f -- "$folder/exec/" | xargs -r kill -KILL || true
  # The engine leaves them mounted: of late the namespace, and its root once more where that lies in memory.
  umount "$folder/exec/netns/default" "$folder/root" 2>/dev/null || true
  [ -z "${OWN_ENGINE_MEMORY:-}" ] || umount --recursive "$folder" 2>/dev/null || umount --lazy "$folder" || true
  rm -rf "$folder"
}
trap end EXIT

say "starting an engine of our own in $folder"
[ -z "${OWN_ENGINE_MEMORY:-}" ] || mount -t tmpfs -o "size=$OWN_ENGINE_MEMORY" own-engine "$folder"
echo '{}' >"$folder/config.json"
start "$folder"
images=("$runner_image")
if [ -n "${OWN_ENGINE_BRIDGE:-}" ]; then
  ip link set lo up
  images+=("$api_image" "$debian_image" "$rust_image")
fi
docker save "${images[@]}" | docker --host "unix://$folder/socket" load --quiet >&2
# It has the image and nothing to build one from.
export DOCKER_HOST=unix://$folder/socket DOCKER_SOCKET=$folder/socket
OWN_ENGINE=$folder BENCH_IMAGE_IS_THERE=1 "$@"
