#!/usr/bin/env bash
# Plays the fault corpus (tests/corpus) against the product: all of it, or with FAULTS=TEXT,TEXT the cases with one of these texts in
# their names. Tells each as it is played.
set -euo pipefail
source "$(dirname "$0")/project.sh"
source scripts/tools.sh

need_rust
need_cargo_tool cargo-nextest
scripts/docker.sh
scripts/images.sh

exec cargo nextest run "${all_tests[@]}" -E 'package(e2e) & binary(corpus)' --no-capture
