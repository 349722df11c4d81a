#!/usr/bin/env bash
# Measures the product beside the raw engine and an in-process service on the engine of DOCKER_HOST: a report in Markdown
# on stdout. Arguments are those of the bench program (`scripts/bench.sh --help`); without any it measures everything.
# BENCH_BINARY=/path/to/code-sandbox measures that build instead of the work tree's.
set -euo pipefail
source "$(dirname "$0")/project.sh"
source scripts/tools.sh

site=$tools/bench-site
requirements=crates/bench/service/requirements.txt

# The in-process service runs on the runner image's Python, which need not be this machine's: so the wheels are chosen for
# that one.
make_site() {
  local wanted
  wanted=$(sha256sum "$requirements")
  [ "$(cat "$site/.made-from" 2>/dev/null)" != "$wanted" ] || return 0
  say "installing the in-process service's packages into target/tools"
  make_venv || fail "python3 with venv is missing" "install python3 and python3-venv"
  rm -rf "$site"
  pip_install --no-deps --target "$site" \
    --implementation cp --python-version 3.13 --platform "manylinux_2_28_$(uname -m)" --platform "manylinux_2_17_$(uname -m)" \
    --platform "manylinux2014_$(uname -m)" -r "$requirements" ||
    fail "the in-process service's packages could not be installed: see above"
  printf '%s\n' "$wanted" >"$site/.made-from"
}

need_rust
[ -n "${BENCH_IMAGE_IS_THERE:-}" ] || { scripts/docker.sh && scripts/images.sh runner; }
make_site
say "building the release"
cargo build --release --quiet --locked -p bench
[ -n "${BENCH_BINARY:-}" ] || cargo build --release --quiet --locked -p supervisor
built=${CARGO_TARGET_DIR:-target}/release
export BENCH_BINARY=${BENCH_BINARY:-$built/code-sandbox} BENCH_SITE=$site
[ $# -gt 0 ] || set -- measure
exec "$built/bench" "$@"
