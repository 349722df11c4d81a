#!/usr/bin/env bash
# The tests against a real Docker: the product from outside, and the runner's own tests inside the runner image, where
# pandas and its like are.
set -euo pipefail
source "$(dirname "$0")/project.sh"
source scripts/tools.sh

need_rust
need_cargo_tool cargo-nextest
need_test_clients
want_libfaketime
need_haproxy
scripts/docker.sh
scripts/images.sh "${1:-all}"

cargo nextest run "${all_tests[@]}" -E 'package(e2e)'

# Read from the work tree, not from the image: the tests find the runner beside them.
docker run --rm --label "$script_label" --network none --read-only --cap-drop ALL --security-opt no-new-privileges \
  --tmpfs /tmp:exec --tmpfs /workspace:mode=1777 \
  --volume "$PWD/runner-image:/code-sandbox/runner-image:ro" --volume "$PWD/examples:/code-sandbox/examples:ro" \
  --volume "$PWD/crates/protocol/golden:/code-sandbox/crates/protocol/golden:ro" \
  --entrypoint /code-sandbox/runner-image/tests/run.sh "$runner_image"
