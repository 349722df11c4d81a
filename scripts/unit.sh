#!/usr/bin/env bash
# Every test that needs no Docker.
set -euo pipefail
source "$(dirname "$0")/project.sh"
source scripts/tools.sh

need_rust
need_cargo_tool cargo-nextest
have python3 || apt_install python3 || fail "python3 is missing" "install Python 3.11 or later"

cargo nextest run "${all_tests[@]}" -E 'not package(e2e)'
cargo test --doc "${all_tests[@]}"
runner-image/tests/run.sh
