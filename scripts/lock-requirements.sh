#!/usr/bin/env bash
# Pins what each requirements.in asks for, and all it draws in, with the hash of every file: writes the requirements.txt beside it.
# What the image has, to the newest versions that fit together, the same on x86_64 and aarch64, or it fails; what the tests, the
# benchmark and the scripts have, to the versions that are named.
set -euo pipefail
source "$(dirname "$0")/project.sh"

# The runner image's Python, and the oldest C library among the images it may be built from.
python=3.13
platform=manylinux_2_40

venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
# The newest, without a hash: it runs on the machine of whoever changes the pins, who reads what it wrote.
"$venv/bin/pip" install --quiet uv

lock() {
  "$venv/bin/uv" pip compile --quiet --no-config --generate-hashes --custom-compile-command scripts/lock-requirements.sh "$@"
}

cd runner-image
for machine in x86_64 aarch64; do
  lock --upgrade --only-binary :all: --python-version "$python" --python-platform "$machine-$platform" \
    requirements.in --output-file "$venv/$machine.txt"
done
cmp "$venv/x86_64.txt" "$venv/aarch64.txt" || fail "the two architectures would get different versions"
cp "$venv/x86_64.txt" requirements.txt
cd ..
lock --universal --python-version 3.11 tests/requirements.in --output-file tests/requirements.txt
lock --no-deps --python-version "$python" crates/bench/service/requirements.in --output-file crates/bench/service/requirements.txt
lock --no-deps scripts/tools-requirements.in --output-file scripts/tools-requirements.txt
say "wrote the four requirements.txt"
