#!/usr/bin/env bash
# From nothing to a healthy service that has answered the README's own example.
set -euo pipefail
source "$(dirname "$0")/project.sh"

wait_s=180
address=http://127.0.0.1:$PORT

# A port taken by someone else is found out before anything is built. Our own API may hold it: it is then brought up to date.
check_port() {
  [[ $PORT =~ ^[0-9]+$ ]] || fail "PORT=$PORT is not a number"
  [ -z "$(docker ps -q -f "publish=$PORT" -f "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")" ] || return 0
  (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null || return 0
  fail "port $PORT is taken by another process" \
    "$(ss -ltnpH "sport = :$PORT" 2>/dev/null | grep -o 'users:.*' | head -n 1)" \
    "choose another: PORT=$((PORT + 1)) make up"
}

# The API need not be uid 0 where the socket's group can be looked up: not with a rootless daemon, whose groups differ
# inside the container, nor outside Linux, where the socket is in a virtual machine.
choose_user() {
  local socket=${DOCKER_SOCKET:-/var/run/docker.sock}
  [ -S "$socket" ] || fail "there is no Docker socket at $socket" "name it: DOCKER_SOCKET=/path/to/docker.sock make up"
  [ "$(uname -s)" = Linux ] || return 0
  ! docker info --format '{{.SecurityOptions}}' | grep -q rootless || return 0
  export SANDBOX_USER=${SANDBOX_USER:-10001:0}
  DOCKER_GID=${DOCKER_GID:-$(stat -c %g "$socket")}
  export DOCKER_GID
}

# With keys there is one Compose file more. Made absolute, since Compose takes a bare name for a volume's.
choose_keys() {
  [ -n "${API_KEYS_DIR:-}" ] || return 0
  [ -f "$API_KEYS_DIR/api-keys" ] || fail "API_KEYS_DIR=$API_KEYS_DIR holds no file api-keys" \
    "make a key: docker run --rm $api_image keys new TENANT >> $API_KEYS_DIR/api-keys"
  API_KEYS_DIR=$(cd "$API_KEYS_DIR" && pwd)
  export API_KEYS_DIR COMPOSE_FILE=${COMPOSE_FILE:-docker-compose.yml}:docker-compose.keys.yml
}

# The README's example has no key to send.
show_example() {
  if [ -n "${API_KEYS_DIR:-}" ]; then
    say "callers need a key: -H 'Authorization: Bearer KEY'"
  else
    scripts/readme-example.sh
  fi
}

fail_with_log() {
  printf '\n' >&2
  compose logs --tail 30 api >&2 || true
  fail "$1" "the last lines of its log are above; all of it: $(compose_name) logs api"
}

wait_until_healthy() {
  local started=$SECONDS state first=
  say "waiting for the API to be healthy (up to $wait_s s)"
  until curl --silent --fail --max-time 5 "$address/health" >/dev/null 2>&1; do
    # What Docker starts again, it counts.
    state=$(docker inspect --format '{{.State.Status}} {{.RestartCount}}' "$(compose ps -q api)" 2>/dev/null) || state=missing
    first=${first:-$state}
    case $state in
    running\ *) [ "$state" = "$first" ] || fail_with_log "the API does not stay up: it was restarted" ;;
    *) fail_with_log "the API does not stay up: its container is ${state% *}" ;;
    esac
    [ $((SECONDS - started)) -lt "$wait_s" ] || fail_with_log "the API was not healthy within $wait_s s"
    printf '.' >&2
    sleep 1
  done
  printf '\n' >&2
  say "healthy after $((SECONDS - started)) s"
}

scripts/docker.sh
have curl || apt_install curl || fail "curl is missing" "install curl"
check_port
choose_user
choose_keys
scripts/images.sh
say "starting the service"
compose up -d --no-build --remove-orphans
wait_until_healthy
show_example
say "the API listens on $address (make down stops it)"
