#!/usr/bin/env bash
# Builds the images of the test shop, each once, and prints the archives, one path per line:
#
#   pxbbq-mongo:6.0.5
#   pxbbq-web:v4.2  pxbbq-web:v4.3  pxbbq-web:v4.3-lossy  pxbbq-web:v4.4
#   taster-s3:VERSION
#
# `images.sh programs` only builds the programs that need a compiler.
set -euo pipefail
cd "$(dirname "$0")"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/taster/images
mkdir -p "$cache"

mongod=$(../../.ci/mongod.sh)

# the same version as in the tests
s3_version=$(sed -n '/^name = "s3s-fs"$/{n;s/version = "\(.*\)"/\1/p}' ../../Cargo.lock)
s3=${XDG_CACHE_HOME:-$HOME/.cache}/taster/s3s-fs-$s3_version
build_s3() {
  local log
  [ ! -x "$s3/bin/s3s-fs" ] || return 0 # built by the process that held the lock
  echo "building s3s-fs $s3_version (once; a minute on 2 cores)" >&2
  log=$(mktemp)
  # unoptimised: it keeps a few megabytes
  CARGO_PROFILE_DEV_DEBUG=0 "${CARGO:-cargo}" install s3s-fs --debug --version "$s3_version" --locked --features binary --root "$s3.part" >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    exit 1
  }
  rm -rf "$log" "$s3"
  mv "$s3.part" "$s3"
}
if [ ! -x "$s3/bin/s3s-fs" ]; then
  (flock 8 && build_s3) 8>"$cache/.s3.lock"
fi
[ "${1:-}" != programs ] || exit 0
base=$(./bases.sh shop)

archive() { # NAME TAG DOCKERFILE FILE...
  local image=$1:$2 dockerfile=$3 out work
  out=$cache/$1-$2-$(cat "shop/$dockerfile" "${@:4}" <(echo "$base") | sha256sum | cut -c 1-12).tar
  if [ ! -f "$out" ]; then
    work=$(mktemp -d)
    cp "${@:4}" "$work/"
    [ "$1" != pxbbq-mongo ] || [ -e "$work/mongod" ] || mv "$work/$(basename "$4")" "$work/mongod"
    buildah --storage-driver overlay bud --quiet --isolation chroot --format docker --build-arg BASE_IMAGE="$base" \
      --build-arg VERSION="$2" --file "shop/$dockerfile" --tag "$image" "$work" >&2
    rm -f "$cache/$1-$2-"????????????.tar
    # under a temporary name until it is complete
    buildah --storage-driver overlay push --quiet "$image" "docker-archive:$out.part:docker.io/library/$image" >&2
    mv "$out.part" "$out"
    rm -rf "$work"
  fi
  echo "$out"
}

archive pxbbq-mongo 6.0.5 Dockerfile.mongo "$mongod"
archive taster-s3 "$s3_version" Dockerfile.s3 "$s3/bin/s3s-fs"
for version in v4.2 v4.3 v4.3-lossy v4.4; do
  archive pxbbq-web "$version" Dockerfile.web shop/shop.py
done
