#!/usr/bin/env bash
# Installs what a bare Debian or Ubuntu machine lacks. Does nothing where everything is installed.
set -euo pipefail

missing=()
need() { # COMMAND PACKAGE...
  command -v "$1" >/dev/null 2>&1 || missing+=("${@:2}")
}
need_file() { # PATH PACKAGE
  [ -e "$1" ] || missing+=("$2")
}
library() { # NAME PACKAGE
  # read as a whole: `grep -q` closes the pipe early, and the library would then count as missing
  [[ "$(ldconfig -p 2>/dev/null)" == *"$1"* ]] || missing+=("$2")
}

need cc gcc
need python3 python3
# requests to `taster serve`
need curl curl
# a machine whose clock is ahead, in the tests of attempts
need faketime faketime
# keys of the control plane that tests start
need openssl openssl
# `make lint` checks the scripts
need shellcheck shellcheck
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
# .ci/manifests.sh reads YAML and runs Argo CD's health check of a Job
python3 -c 'import yaml' 2>/dev/null || need_file /usr/lib/python3/dist-packages/yaml python3-yaml
need lua5.1 lua5.1
# the MongoDB server of the tests is linked against these
library libcurl.so.4 libcurl4
library libssl.so.3 libssl3

# probes are compiled to WebAssembly: by a tool chain that has the target, else by Debian's, which brings its sources
target=wasm32-unknown-unknown
has_target() {
  local libdir
  libdir=$(rustc --print target-libdir --target $target 2>/dev/null) && ls "$libdir"/libstd-*.rlib >/dev/null 2>&1
}
if ! has_target; then
  if ! { command -v rustup >/dev/null 2>&1 && timeout 60 rustup target add $target >/dev/null 2>&1; }; then
    compgen -G '/usr/src/rustc-*' >/dev/null && [ -x /usr/bin/cargo ] || missing+=(rustc-web cargo-web rust-web-src)
  fi
fi

# a linker for WebAssembly comes with rustup's tool chains, not with Debian's
if ! ls "${RUSTUP_HOME:-$HOME/.rustup}"/toolchains/*/lib/rustlib/*/bin/rust-lld >/dev/null 2>&1 &&
  ! compgen -c wasm-ld >/dev/null; then
  missing+=(lld-19)
fi

[ ${#missing[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
  echo "install these first (no apt-get here): ${missing[*]}" >&2
  exit 1
fi
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
echo "installing: ${missing[*]}"
log=$(mktemp)
if ! { "${sudo[@]}" apt-get update && DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "could not install: ${missing[*]}" >&2
  exit 1
fi
rm -f "$log"
