#!/usr/bin/env bash
# Compiles the probes to core WebAssembly modules: build.sh OUT_DIR TARGET_DIR
#
# Each member of this workspace that is a `cdylib` becomes OUT_DIR/<package>.core.wasm; the host's build script makes
# components of them. The target is wasm32-unknown-unknown: no WASI, so a probe has no door but the interface.
#
# The standard library for that target comes from the first of these that is there:
#   1. a tool chain that has the target (added by rustup, or a distribution's package)
#   2. rustup, which is asked to add the target; where it cannot reach its server, that fails within a minute
#   3. Debian's sources of the standard library, compiled here (rustc-web cargo-web rust-web-src)
# The same tool chain makes the same bytes in every folder.
set -euo pipefail

target=wasm32-unknown-unknown
probes=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

if [ $# -ne 2 ]; then
  echo "usage: build.sh OUT_DIR TARGET_DIR" >&2
  exit 2
fi
mkdir -p "$1" "$2"
out=$(cd "$1" && pwd -P)
target_dir=$(cd "$2" && pwd -P)

# Run from a build script, this shell inherits what cargo tells build scripts about another package, another target and
# other flags. Only where cargo keeps its things, its network settings and its job server are meant for everybody.
for name in $(compgen -e); do
  case $name in
    CARGO_HOME | CARGO_MAKEFLAGS | CARGO_NET_* | CARGO_HTTP_* | CARGO_REGISTRIES_* | CARGO_TERM_*) ;;
    CARGO | CARGO_* | RUSTC | RUSTC_* | RUSTDOC* | RUSTFLAGS | CLIPPY_* | TARGET | HOST | OUT_DIR | PROFILE | OPT_LEVEL | DEBUG)
      unset "$name" ;;
  esac
done

has_target() { # RUSTC
  local libdir
  libdir=$("$1" --print target-libdir --target $target 2>/dev/null) && ls "$libdir"/libstd-*.rlib >/dev/null 2>&1
}

has_sources() { # RUSTC
  local sysroot
  sysroot=$("$1" --print sysroot 2>/dev/null) && [ -d "$sysroot/lib/rustlib/src/rust/library/std" ]
}

# A linker for WebAssembly: rust-lld of any tool chain, else LLVM's own, the newest first.
find_linker() {
  local found
  for found in "$(rustc --print sysroot 2>/dev/null)"/lib/rustlib/*/bin/rust-lld \
    "${RUSTUP_HOME:-$HOME/.rustup}"/toolchains/*/lib/rustlib/*/bin/rust-lld /usr/lib/rustlib/*/bin/rust-lld; do
    if [ -x "$found" ]; then echo "$found"; return; fi
  done
  for found in $(compgen -c rust-lld || true) $(compgen -c wasm-ld | sort -rV || true); do
    command -v "$found" && return
  done
  return 1
}

# Sets rustc, cargo and build_std, or fails.
choose_tools() {
  build_std=()
  local candidate
  for candidate in "$(command -v rustc || true)" /usr/bin/rustc; do
    if [ -x "$candidate" ] && [ -x "${candidate%rustc}cargo" ] && has_target "$candidate"; then
      rustc=$candidate cargo=${candidate%rustc}cargo
      return
    fi
  done
  if command -v rustup >/dev/null && timeout 60 rustup target add $target >/dev/null 2>&1 && has_target rustc; then
    rustc=$(command -v rustc) cargo=$(command -v cargo)
    return
  fi
  if [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && has_sources /usr/bin/rustc && linker=$(find_linker); then
    rustc=/usr/bin/rustc cargo=/usr/bin/cargo build_std=('-Zbuild-std=std,panic_abort')
    # -Z on a released compiler; the standard library's own build needs it as well
    export RUSTC_BOOTSTRAP=1
    return
  fi
  return 1
}

if ! choose_tools; then
  cat >&2 <<'MESSAGE'
error: no Rust standard library for wasm32-unknown-unknown, which probes are compiled for
  either: rustup target add wasm32-unknown-unknown
  or, on Debian and Ubuntu: apt-get install rustc-web cargo-web rust-web-src
      (and lld-19, where no tool chain of rustup's brings rust-lld)
  (`make setup` does what works here)
MESSAGE
  exit 1
fi

sysroot=$("$rustc" --print sysroot)
flags=(
  # no path of this machine in a panic's text: the same bytes in every folder
  "--remap-path-prefix=$target_dir=/target"
  "--remap-path-prefix=$probes=/probes"
  "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
  "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rust"
)
if [ ${#build_std[@]} -gt 0 ]; then
  flags+=("-Clinker=$linker")
fi
# flags for the guests only: with --target, cargo keeps them away from macros and build scripts
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS RUSTC=$rustc

cd "$probes"
"$cargo" build --release --target $target --target-dir "$target_dir" ${build_std[@]+"${build_std[@]}"} >&2

rm -f "$out"/*.core.wasm
for manifest in */Cargo.toml; do
  grep -q '^crate-type.*cdylib' "$manifest" || continue
  name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -n 1)
  cp "$target_dir/$target/release/${name//-/_}.wasm" "$out/$name.core.wasm"
done
