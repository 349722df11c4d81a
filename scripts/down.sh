#!/usr/bin/env bash
# Stops the service and leaves no container of it. The data stays in its volume, the images stay too.
set -euo pipefail
source "$(dirname "$0")/project.sh"

if ! docker version >/dev/null 2>&1; then
  say "no Docker daemon answers: nothing of ours runs"
  exit
fi

compose down --remove-orphans

# On SIGTERM the API removes the containers of its executions. One that was killed could not: what it left behind carries
# the id that it keeps in its volume. Another instance's containers carry another id.
volume=${COMPOSE_PROJECT_NAME}_data
if docker volume inspect "$volume" >/dev/null 2>&1 && have_image "$runner_image"; then
  instance=$(docker run --rm --label "$script_label" --network none --user 0:0 --entrypoint cat \
    --volume "$volume:/data:ro" "$runner_image" /data/instance-id 2>/dev/null) || instance=
  if [ -n "$instance" ]; then
    docker ps -aq -f "label=code-sandbox.instance=$instance" | xargs -r docker rm -f -v >/dev/null
  fi
fi
say "down; the data is kept in the volume $volume (make clean removes it)"
