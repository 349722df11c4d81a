#!/usr/bin/env bash
# Pins what runner-image/requirements.in asks for, and all it draws in, to the newest versions that fit together, with
# the hash of every wheel: writes runner-image/requirements.txt. The versions are the same on x86_64 and aarch64, or it fails.
set -euo pipefail
source "$(dirname "$0")/project.sh"

# The runner image's Python, and the oldest C library among the images it may be built from.
python=3.13
platform=manylinux_2_40

venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet uv

cd runner-image
for machine in x86_64 aarch64; do
  "$venv/bin/uv" pip compile --quiet --upgrade --no-config --generate-hashes --only-binary :all: \
    --python-version "$python" --python-platform "$machine-$platform" \
    --custom-compile-command scripts/lock-requirements.sh \
    requirements.in --output-file "$venv/$machine.txt"
done
cmp "$venv/x86_64.txt" "$venv/aarch64.txt" || fail "the two architectures would get different versions"
cp "$venv/x86_64.txt" requirements.txt
say "wrote runner-image/requirements.txt"
