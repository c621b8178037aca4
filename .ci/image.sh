#!/usr/bin/env bash
# Builds the image, with docker when its daemon runs, else with buildah.
#
#   IMAGE=taster:dev     its name
#   BINARY=FILE          use this binary instead of compiling one in the build stage
#   OUT=FILE.tar         also write the image to an archive
#   BUILD_IMAGE, BASE_IMAGE   base images instead of the public ones; `local` builds them from Debian packages
set -euo pipefail
cd "$(dirname "$0")/.."
image=${IMAGE:-taster:dev}

engine=
# only buildah knows base images that are built here
if [ "${BUILD_IMAGE:-}" != local ] && [ "${BASE_IMAGE:-}" != local ] && docker info >/dev/null 2>&1; then
  engine=docker
elif command -v buildah >/dev/null 2>&1; then
  engine=buildah
else
  echo "building an image needs docker (with its daemon running) or buildah: apt-get install buildah" >&2
  exit 1
fi

arguments=(--build-arg "VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)")
# marked when the tree has changes, because then no commit has this source
arguments+=(--build-arg "REVISION=$(git describe --always --abbrev=40 --exclude '*' --dirty 2>/dev/null || echo unknown)")
arguments+=(--build-arg "SOURCE=$({ git config --get remote.origin.url 2>/dev/null || true; } | sed 's#//[^/@]*@#//#')")
# the date of all files in it, so that the build is reproducible
date=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
base() { # ARGUMENT VALUE BASE
  local value=$2
  [ "$value" != local ] || value=$(manifests/local/bases.sh "$3")
  [ -z "$value" ] || arguments+=(--build-arg "$1=$value")
}
base BUILD_IMAGE "${BUILD_IMAGE:-}" "$([ -n "${BINARY:-}" ] && echo shop || echo rust)"
base BASE_IMAGE "${BASE_IMAGE:-}" runtime

if [ -n "${BINARY:-}" ]; then
  mkdir -p target/image
  # a pod needs no symbols
  strip --strip-debug -o target/image/taster "$BINARY"
  arguments+=(--build-arg BINARY=target/image/taster)
fi

case $engine in
  docker)
    SOURCE_DATE_EPOCH=$date docker build "${arguments[@]}" --tag "$image" .
    [ -z "${OUT:-}" ] || docker save --output "$OUT" "$image"
    ;;
  buildah)
    # works for a root user without all privileges
    buildah --storage-driver "${STORAGE_DRIVER:-overlay}" bud --isolation chroot --format docker --timestamp "$date" "${arguments[@]}" --tag "$image" .
    if [ -n "${OUT:-}" ]; then
      rm -f "$OUT"
      buildah --storage-driver "${STORAGE_DRIVER:-overlay}" push --quiet "$image" "docker-archive:$OUT:docker.io/library/$image"
    fi
    ;;
esac
echo "built $image with $engine"
