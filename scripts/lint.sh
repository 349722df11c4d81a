#!/usr/bin/env bash
# All that is checked without running the product.
set -euo pipefail
source "$(dirname "$0")/project.sh"
source scripts/tools.sh

need_rust
{ cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1 || rustup component add rustfmt clippy
need_shellcheck
need_cargo_tool cargo-deny
need_cargo_tool cargo-machete

say "shellcheck"
shellcheck scripts/*.sh examples/clients/*.sh runner-image/build/*.sh runner-image/tests/*.sh .ci/run
say "one version everywhere"
for file in docker-compose.yml examples/compose/docker-compose.yml examples/compose/app/Dockerfile Dockerfile.api Dockerfile.runner .ci/run README.md; do
  stray=$(grep -noE '(code-sandbox-(api|runner):|image.version=")[0-9.]+' "$file" | grep -v "$version\$") || continue
  fail "$file names another version than Cargo.toml's $version:" "$stray"
done
say "no snapshot without its test"
git ls-files '*.snap' | while read -r snapshot; do
  test=$(basename "$snapshot" .snap | sed -E 's/.*__//; s/-[0-9]+$//')
  grep -rqE "fn $test\(" --include '*.rs' crates tests || fail "$snapshot belongs to no test: delete it"
done
say "every test that a document names is there"
python3 scripts/named-tests.py || fail "a document names a test that is not there: see above"
say "the Python compiles"
find runner-image crates examples scripts tests -name '*.py' -print0 | xargs -0 python3 -c '
import sys
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        compile(file.read(), name, "exec", dont_inherit=True)'
say "cargo fmt"
cargo fmt --all --check
say "cargo clippy"
cargo clippy "${all_tests[@]}" --all-targets -- -D warnings
# What is there only without the features; of this choice the documentation is as well.
cargo clippy --workspace --locked -- -D warnings
say "cargo doc"
RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --document-private-items --locked --quiet
say "cargo deny"
cargo deny check bans licenses sources
# The advisories come from a repository that not every machine reaches; the rest of the check needs no network.
if timeout 120 cargo deny fetch db >/dev/null 2>&1; then
  cargo deny check advisories
else
  say "the advisory database cannot be reached: advisories are not checked here"
fi
say "cargo machete"
cargo machete
