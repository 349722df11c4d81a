#!/usr/bin/env bash
# Lets libFuzzer look for inputs that break a target of crates/fuzz, FUZZ_SECONDS each (60): all of them, or those named. Then the
# same for the runner's encoder and its reader of archives, in Python. Needs a nightly toolchain and a C++ compiler.
set -euo pipefail
source "$(dirname "$0")/project.sh"
source scripts/tools.sh

seconds=${FUZZ_SECONDS:-60}
if [ $# = 0 ]; then
  for file in crates/fuzz/src/bin/*.rs; do set -- "$@" "$(basename "$file" .rs)"; done
  set -- "$@" python
fi

need_rust
cargo +nightly --version >/dev/null 2>&1 ||
  fail "libFuzzer's coverage takes a nightly toolchain" "install one: rustup toolchain install nightly --profile minimal"
have c++ || apt_install g++ || fail "a C++ compiler is missing" "install g++"
need_cargo_tool cargo-fuzz

for target in "$@"; do
  say "fuzzing $target for $seconds s"
  if [ "$target" = python ]; then
    FUZZ_SECONDS=$seconds PYTHONDONTWRITEBYTECODE=1 python3 -m unittest discover -s runner-image/tests -p 'test_*properties.py' -k Hostile
    continue
  fi
  seeds=crates/fuzz/seeds/$target
  [ "$target" != decode ] || seeds=crates/protocol/golden
  # What it learns stays for the next time; what breaks a target lies in target/fuzz/TARGET afterwards.
  found=target/fuzz/$target
  mkdir -p "$found/corpus"
  cargo +nightly fuzz run --fuzz-dir crates/fuzz --features libfuzzer --target-dir target/fuzz/build "$target" \
    "$found/corpus" "$seeds" -- -max_total_time="$seconds" -max_len=8192 -timeout=10 -artifact_prefix="$found/" -verbosity=0 -print_final_stats=1 ||
    fail "$target breaks on what lies in $found" "fix it at its root, and put the input into $seeds"
done
