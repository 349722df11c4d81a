# shellcheck shell=bash disable=SC2034 # the names are for those who source this
# What every script here agrees on: the names of what is made, and how a script speaks.
# Sourced, never run.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# Compose names the containers, the network and the volume after the project, and the project after this directory. Said
# here in so many words because down.sh must know the volume's name.
default_project=$(basename "$PWD" | tr '[:upper:]' '[:lower:]' | sed 's/[^-_a-z0-9]//g; s/^[-_]*//')
export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-$default_project}
export PORT=${PORT:-8000}

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
api_image=code-sandbox-api:$version
runner_image=code-sandbox-runner:$version
debian_image=debian:trixie-slim
rust_image=rust:1.95-slim-trixie

# On the base images that are made here: `make clean` removes them, and none that was pulled.
made_by_label=code-sandbox.made-by=make
# On the containers that a script starts. Another name, because a container has its image's labels too.
script_label=code-sandbox.script=true

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }

# First line: what went wrong. Further arguments: what to do about it, a line each.
fail() {
  printf '\n\033[1mfailed:\033[0m %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '        %s\n' "$@" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# The plugin where it is there, else the tool of its own.
compose_name() { if docker compose version >/dev/null 2>&1; then echo docker compose; else echo docker-compose; fi; }

compose() {
  local tool
  read -ra tool <<<"$(compose_name)"
  "${tool[@]}" "$@"
}

have_image() { docker image inspect "$1" >/dev/null 2>&1; }

# apt_install PACKAGE...: for tools the recipes need. Returns 1 where this user may not install packages.
apt_install() {
  have apt-get && [ "$(id -u)" = 0 ] || return 1
  say "installing $* from the distribution"
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 && return
  apt-get update -qq >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >/dev/null
}
