#!/usr/bin/env bash
# Base images out of Debian packages, for machines that reach no registry. Prints the name of one:
#
#   bases.sh runtime    glibc, libgcc, certificates, and nothing else: what the public base has
#   bases.sh shop       the same with a shell, and with what mongod and the shop's app need
#   bases.sh rust       a Rust tool chain: this machine's own
#
# Each is made once and kept by buildah under a name that says what is in it.
set -euo pipefail
suite=bookworm
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

packages() {
  case $1 in
    runtime) echo libc6 libgcc-s1 ;;
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
# this file says how, and the tool chain of this machine goes into one of them
key=$(cat "$0" <(echo "$suite $list $([ "$kind" != rust ] || rustc --version)$certificates") | sha256sum | cut -c 1-12)
name=localhost/taster-base-$kind:$key

# Copies only the files of the listed packages from the shop's base: an attacker could use a shell, but not a library.
runtime() { # ROOT
  local container from package
  container=$(buildah from "$("$0" shop)")
  from=$(buildah mount "$container")
  mkdir -p "$1"/etc/ssl/certs "$1/home/nonroot"
  for package in $list; do
    cat "$from/var/lib/dpkg/info/$package"{,:*}.list 2>/dev/null || true
  done | grep -v -e ^/usr/share -e /gconv -e /audit | while read -r path; do
    [ -d "$from$path" ] || echo ".$path"
  done | sort -u >"$1.list"
  [ -s "$1.list" ]
  tar --directory "$from" --create --no-recursion --files-from "$1.list" | tar --directory "$1" --extract
  cp "$from/etc/ssl/certs/ca-certificates.crt" "$1/etc/ssl/certs/"
  install -d -m 1777 "$1/tmp"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$1/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$1/etc/group"
  echo 'hosts: files dns' >"$1/etc/nsswitch.conf"
  buildah rm "$container" >/dev/null
}

# the date of what is made here: an image that is built again is the same, byte for byte
timestamp=0
if ! buildah images --quiet "$name" >/dev/null 2>&1; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  if [ "$kind" = runtime ]; then
    runtime "$work/root"
  else
    debootstrap --variant=minbase --include="${list// /,}" "$suite" "$work/root" "$mirror" >"$work/log" 2>&1 || {
      tail -n 20 "$work/log" >&2
      exit 1
    }
    rm -rf "$work/root"/var/{cache,lib}/apt/* "$work/root"/usr/share/{doc,man,locale}
  fi
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
  buildah commit --quiet --rm --timestamp "$timestamp" "$container" "$name" >/dev/null
fi
echo "$name"
