#!/usr/bin/env bash
# Builds the images whose inputs have changed since they were built. `images.sh runner` builds the runner image alone.
# FEATURES=otlp builds that into the control plane (docs/operations/traces.md).
set -euo pipefail
source "$(dirname "$0")/project.sh"

inputs_label=code-sandbox.inputs
features=${FEATURES:-}
options=()

# The build reaches the package registries with the authorities that this machine trusts (certs/README.md).
copy_authorities() {
  [ ! -d /usr/local/share/ca-certificates ] ||
    find /usr/local/share/ca-certificates -name '*.crt' -exec cp -u {} certs/ \;
}

# fingerprint BASE... -- PATH...: of everything that the image is made from.
fingerprint() {
  local bases=()
  while [ "$1" != -- ]; do bases+=("$1") && shift; done
  shift
  {
    docker image inspect --format '{{.Id}}' "${bases[@]}"
    find .dockerignore certs "$@" -name __pycache__ -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  } | sha256sum | cut -d ' ' -f 1
}

# forget_superseded IMAGE-ID STAGE...: the image that lost its name, if there was one, and what the classic builder keeps:
# it holds every stage as an untagged image, which is also its cache. The newest of each is enough.
forget_superseded() {
  local stage
  [ -z "$1" ] || docker rmi "$1" >/dev/null 2>&1 || true
  shift
  for stage in "$@"; do
    docker images -q -f dangling=true -f "label=code-sandbox.stage=$stage" | tail -n +2 |
      xargs -r docker rmi >/dev/null 2>&1 || true
  done
}

# build IMAGE DOCKERFILE FINGERPRINT STAGE...
build() {
  local image=$1 dockerfile=$2 inputs=$3 started=$SECONDS previous
  if [ "$(docker image inspect --format "{{index .Config.Labels \"$inputs_label\"}}" "$image" 2>/dev/null)" = "$inputs" ]; then
    say "$image is up to date"
    return
  fi
  say "building $image"
  previous=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null) || previous=
  docker build --label "$inputs_label=$inputs" "${options[@]}" -f "$dockerfile" -t "$image" . >&2 ||
    fail "$image could not be built: see above"
  [ "$previous" != "$(docker image inspect --format '{{.Id}}' "$image")" ] || previous=
  forget_superseded "$previous" "${@:4}"
  say "$image is built ($((SECONDS - started)) s)"
}

build_runner() {
  build "$runner_image" Dockerfile.runner \
    "$(fingerprint "$debian_image" -- Dockerfile.runner runner-image/requirements.txt runner-image/build runner-image/runner)" \
    wheels root runner
}

build_api() {
  scripts/base-images.sh "$rust_image"
  options=(--build-arg "FEATURES=$features")
  build "$api_image" Dockerfile.api \
    "$(fingerprint "$debian_image" "$rust_image" -- Dockerfile.api Cargo.toml Cargo.lock tests/Cargo.toml crates)${features:+ $features}" \
    manifests build
}

scripts/base-images.sh "$debian_image"
copy_authorities
# At the same time: the one waits for the network and the disk, the other for the processors. Each is a process group, which ends with
# this script; the first that fails ends it.
set -m
builds=
end_builds() {
  local build
  for build in $builds; do kill -- "-$build" 2>/dev/null || true; done
}
trap end_builds EXIT
{ build_runner 2>&1 | sed -u 's/^/runner: /' >&2; } </dev/null &
builds=$!
if [ "${1:-all}" != runner ]; then
  { build_api 2>&1 | sed -u 's/^/api: /' >&2; } </dev/null &
  builds+=" $!"
fi
for _ in $builds; do
  wait -n
done
