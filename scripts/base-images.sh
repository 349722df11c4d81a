#!/usr/bin/env bash
# The two images that the Dockerfiles start from. Pulled where a registry answers; elsewhere made here, from Debian's
# packages and the Rust toolchain of this machine, under the same names. An image that is already there is left alone.
# `base-images.sh NAME`: that one alone.
set -euo pipefail
source "$(dirname "$0")/project.sh"

# How long a registry may take to say its first word. The download itself has no limit.
patience_s=20
debian_keys=/usr/share/keyrings/debian-archive-keyring.gpg

# digest_of IMAGE: the one that scripts/base-images.digests pins, if it does.
digest_of() { awk -v name="$1" '$1 == name { print $2 }' scripts/base-images.digests; }

# pull IMAGE: fails at once where the registry cannot be reached, and after the patience where it hangs.
pull() {
  local log pid waited=0 digest from=$1
  digest=$(digest_of "$1")
  [ -z "$digest" ] || from=${1%%:*}@$digest
  log=$(mktemp)
  docker pull "$from" >"$log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    if ! grep -q 'Pulling from' "$log" && [ "$waited" -ge $((patience_s * 5)) ]; then
      kill "$pid" 2>/dev/null || true
      echo "no answer within ${patience_s} s" >>"$log"
    fi
    waited=$((waited + 1))
    sleep 0.2
  done
  if wait "$pid"; then
    rm -f "$log"
    if [ -n "$digest" ]; then
      docker tag "$from" "$1"
    else
      say "pulled by its tag; to pin what it holds, for scripts/base-images.digests:" \
        "$1 $(docker image inspect --format '{{index .RepoDigests 0}}' "$1" | cut -d @ -f 2)"
    fi
    return 0
  fi
  say "cannot pull $from: $(tail -n 1 "$log")"
  rm -f "$log"
  return 1
}

make_debian() {
  # Without Debian's keys, which Ubuntu need not have, it would take packages that nobody has signed.
  if ! { have debootstrap && have gpgv && [ -e "$debian_keys" ]; }; then
    apt_install debootstrap gpgv debian-archive-keyring ||
      fail "$debian_image cannot be pulled, and debootstrap, gpgv or Debian's keys are missing" \
        "install them (on Debian and Ubuntu: apt-get install debootstrap gpgv debian-archive-keyring), or make a registry reachable"
  fi
  [ "$(id -u)" = 0 ] || fail "$debian_image cannot be pulled, and making it takes root" \
    "run 'sudo scripts/base-images.sh' once, or make a registry reachable"

  local root log
  root=$(mktemp -d)
  log=$(mktemp)
  # shellcheck disable=SC2064 # the path of now
  trap "rm -rf '$root'" EXIT
  say "making $debian_image with debootstrap (about half a minute)"
  debootstrap --variant=minbase --force-check-gpg --keyring="$debian_keys" trixie "$root" http://deb.debian.org/debian >"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; fail "debootstrap could not make $debian_image; its whole output: $log"; }
  rm -f "$root/etc/apt/sources.list" "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*_* "$log"
  cat >"$root/etc/apt/sources.list.d/debian.sources" <<'SOURCES'
Types: deb
URIs: http://deb.debian.org/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
  # As in the published slim image: no manuals, no translations, and no daemon is started by an installation.
  cat >"$root/etc/dpkg/dpkg.cfg.d/docker" <<'DPKG'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
DPKG
  rm -rf "$root"/usr/share/{info,locale,man}/*
  find "$root/usr/share/doc" -type f ! -name copyright -delete
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"

  tar -C "$root" --one-file-system -c . |
    docker import --change 'CMD ["bash"]' --change "LABEL ${made_by_label%%=*}=${made_by_label#*=}" - "$debian_image" >/dev/null
}

make_rust() {
  local sysroot version
  have rustc || fail "$rust_image cannot be pulled, and there is no Rust toolchain here to make it from" \
    "install Rust (scripts/tools.sh does), or make a registry reachable"
  sysroot=$(rustc --print sysroot)
  version=$(rustc --version)
  say "making $rust_image from $debian_image and this machine's toolchain, $version (about a minute)"
  # Only what a build needs: the documentation is more than half of a toolchain.
  tar -c -C "$sysroot" bin lib -C "$PWD/scripts" rust-stand-in.Dockerfile |
    docker build --quiet --label "$made_by_label" -f rust-stand-in.Dockerfile -t "$rust_image" -
}

[ $# -gt 0 ] || set -- "$debian_image" "$rust_image"
for image; do
  have_image "$image" && continue
  say "$image is not here: pulling it"
  pull "$image" && continue
  case $image in
  "$debian_image") make_debian ;;
  "$rust_image") make_rust ;;
  esac
done
