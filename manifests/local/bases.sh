#!/usr/bin/env bash
# Base images out of Debian packages, for machines that reach no registry. Prints the name of one:
#
#   bases.sh runtime    glibc, libgcc, certificates; with a shell, which the public base does not have
#   bases.sh shop       the same with what mongod and the shop's app need
#   bases.sh rust       a Rust tool chain: this machine's own
#
# Each is made once and kept by buildah under a name that says what is in it.
set -euo pipefail
suite=bookworm
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

packages() {
  case $1 in
    runtime) echo ca-certificates libgcc-s1 ;;
    shop) echo ca-certificates libgcc-s1 libcurl4 libssl3 python3-minimal python3-pymongo ;;
    rust) echo ca-certificates gcc libc6-dev make python3 rustc-web cargo-web rust-web-src ;;
    *) echo "no such base: $1; there are runtime, shop, rust" >&2; exit 2 ;;
  esac
}

kind=${1:?which base: runtime, shop or rust}
list=$(packages "$kind")
# what an administrator gave this machine to trust, where its way to the registries leads through a proxy that looks inside
trusted=/usr/local/share/ca-certificates
certificates=
[ "$kind" != rust ] || certificates=$(cat "$trusted"/*.crt 2>/dev/null || true)
key=$(echo "$suite $list $(rustc --version 2>/dev/null)$certificates" | sha256sum | cut -c 1-12)
name=localhost/taster-base-$kind:$key
if ! buildah images --quiet "$name" >/dev/null 2>&1; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  debootstrap --variant=minbase --include="${list// /,}" "$suite" "$work/root" "$mirror" >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    exit 1
  }
  rm -rf "$work/root"/var/{cache,lib}/apt/* "$work/root"/usr/share/{doc,man,locale}
  if [ "$kind" = rust ]; then
    mkdir -p "$work/root/usr/local/rustup"
    cp -a "$(rustc --print sysroot)/." "$work/root/usr/local/rustup/"
    ln -s /usr/local/rustup/bin/{cargo,rustc} "$work/root/usr/local/bin/"
    # into the build stage, and into nothing that runs
    if compgen -G "$trusted/*.crt" >/dev/null; then
      cat "$trusted"/*.crt >>"$work/root/etc/ssl/certs/ca-certificates.crt"
    fi
  fi
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$work/root" / >/dev/null
  buildah commit --quiet --rm "$container" "$name" >/dev/null
fi
echo "$name"
