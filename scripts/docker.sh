#!/usr/bin/env bash
# Sees to it that Docker and a Compose tool are installed and that the daemon answers. Installs from the distribution on
# Debian and Ubuntu as root; elsewhere says what is missing.
set -euo pipefail
source "$(dirname "$0")/project.sh"

wait_s=60
daemon_log=/var/log/dockerd.log

answers() { docker version >/dev/null 2>&1; }

# Waits until the daemon answers; fails when it does not in time.
answers_soon() {
  for _ in $(seq "$1"); do
    answers && return
    sleep 1
  done
  return 1
}

install_docker() {
  have docker || apt_install docker.io || fail "Docker is missing, and can be installed from here only as root on Debian or Ubuntu" \
    "install Docker Engine: https://docs.docker.com/engine/install/"
  docker compose version >/dev/null 2>&1 || have docker-compose ||
    apt_install docker-compose-v2 2>/dev/null || apt_install docker-compose ||
    fail "a Compose tool is missing, and can be installed from here only as root on Debian or Ubuntu" \
      "install the plugin 'docker compose': https://docs.docker.com/compose/install/"
}

start_daemon() {
  if [ "$(id -u)" != 0 ]; then
    [ ! -S /var/run/docker.sock ] || fail "the Docker daemon's socket is there but user $(id -un) may not use it" \
      "add yourself to its group: sudo usermod -aG docker $(id -un), then log in again"
    fail "the Docker daemon does not answer, and starting it takes root" "start it: sudo systemctl start docker"
  fi
  say "starting the Docker daemon"
  if [ -d /run/systemd/system ]; then
    systemctl start docker || true
  elif [ -x /etc/init.d/docker ]; then
    service docker start >/dev/null 2>&1 || true
  fi
  answers_soon 10 && return
  if ! pgrep -x dockerd >/dev/null; then
    say "starting dockerd directly; its log: $daemon_log"
    setsid nohup dockerd >"$daemon_log" 2>&1 </dev/null &
  fi
  answers_soon "$wait_s" && return
  tail -n 20 "$daemon_log" >&2 2>/dev/null || true
  fail "the Docker daemon did not answer within $wait_s s" "its log: $daemon_log, or journalctl -u docker"
}

install_docker
[ -z "${DOCKER_HOST:-}" ] || answers || fail "no Docker daemon answers at DOCKER_HOST=$DOCKER_HOST"
answers || start_daemon
