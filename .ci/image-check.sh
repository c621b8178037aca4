#!/usr/bin/env bash
# Builds the image twice and fails when the two differ by a byte, when it is too large, or when it compiles a standard probe
# at run time: image-check.sh [BINARY]. Without BINARY one is compiled for release.
set -euo pipefail
cd "$(dirname "$0")/.."
limit=60 # MB, compressed

if [ $# -eq 0 ]; then
  "${CARGO:-cargo}" build --locked --release --package taster
  set -- "${CARGO_TARGET_DIR:-target}/release/taster"
fi
command -v buildah >/dev/null || { echo "missing: buildah: apt-get install buildah" >&2; exit 4; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
driver=${STORAGE_DRIVER:-overlay}
for build in first second; do
  IMAGE=localhost/taster-check:$build BINARY=$1 BUILD_IMAGE=local BASE_IMAGE=local .ci/image.sh
  # with compressed layers, as for a registry
  buildah --storage-driver "$driver" push --quiet "localhost/taster-check:$build" "oci:$work/$build"
done
digest() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1] + "/index.json"))["manifests"][0]["digest"])' "$work/$1"; }
first=$(digest first) second=$(digest second)
[ "$first" = "$second" ] || { echo "not reproducible: $first, then $second" >&2; exit 1; }
echo "reproducible: $first"

bytes=$(find "$work/first/blobs" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
printf '%d.%d MB compressed, %s at most\n' $((bytes / 1000000)) $((bytes / 100000 % 10)) "$limit MB"
[ "$bytes" -le $((limit * 1000000)) ] || exit 1
buildah --storage-driver "$driver" inspect --type image localhost/taster-check:first |
  python3 -c 'import json, sys
labels = json.load(sys.stdin)["OCIv1"]["config"]["Labels"]
for name in "title", "description", "licenses", "version", "revision", "source":
    print(name + ":", labels["org.opencontainers.image." + name])'
# the binary in it runs, and finds the precompiled probes
container=$(buildah --storage-driver "$driver" from localhost/taster-check:first)
root=$(buildah --storage-driver "$driver" mount "$container")
find "$root/usr/lib/taster/code" -name '*.cwasm' -printf '%s\n' | awk '{ sum += $1 } END { print NR " precompiled probes, " int(sum / 1000) " kB" }'
inside() { chroot --userspec 65532:65532 "$root" /usr/local/bin/taster "$@"; }
inside --version
# a standard probe that is compiled again would appear in the cache
export TASTER_CODE=/usr/lib/taster/code TASTER_CACHE=/tmp/taster
for probe in census document-count duplicate-keys group-report index-inventory reference-check schema-shape; do
  inside probe check "$probe" >/dev/null
done
compiled=$(find "$root/tmp/taster" -name '*.cwasm' | wc -l)
[ "$compiled" -eq 0 ] || { echo "the image compiled $compiled standard probes at run time" >&2; exit 1; }
echo "the image compiles none of them at run time"
buildah --storage-driver "$driver" rm "$container" >/dev/null
