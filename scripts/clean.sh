#!/usr/bin/env bash
# Takes away what `make up` made: the service, its data, its images, and the base images where they were made here. A base
# image that was pulled, or any other thing on this Docker, stays.
set -euo pipefail
source "$(dirname "$0")/project.sh"

scripts/down.sh
docker version >/dev/null 2>&1 || exit 0

# An image that a container still uses is not ours alone: Docker refuses to remove it, and says which.
remove_images() { xargs -r docker rmi >/dev/null || say "some images are in use and stay"; }

say "removing the data, the images and their build stages"
compose down --volumes --remove-orphans 2>/dev/null
for image in "$api_image" "$runner_image"; do
  if have_image "$image"; then echo "$image"; fi
done | remove_images
# A stage may be the parent of another: what is refused now goes with its child.
docker images -q -f dangling=true -f label=code-sandbox.stage | xargs -r docker rmi >/dev/null 2>&1 || true
for image in "$rust_image" "$debian_image"; do
  docker images --format '{{.Repository}}:{{.Tag}}' -f "label=$made_by_label" -f "reference=$image"
done | remove_images
