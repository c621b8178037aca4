# shellcheck shell=bash
# Imports the images of the cluster from archives, because there is no registry.

ctr_() { ctr --address "$socket" --namespace k8s.io "$@"; }

image_import() { # ARCHIVE
  say "importing $(basename "$1")"
  ctr_ images import "$1" >"$state/log/import.log" 2>&1 || {
    tail -n 5 "$state/log/import.log" >&2
    say "could not import $1"
    exit 1
  }
}

# Fills the caches, so that `up` needs no network afterwards.
images_build() {
  pause=$(pause_archive)
  "$here/images.sh" >/dev/null
}

# Imports each archive once. Its name contains a hash of its content.
images_import() {
  local archive archives
  archives=$("$here/images.sh")
  for archive in "${pause:-}" $archives; do
    [ -n "$archive" ] && ! grep -qxF "$archive" "$state/imported" 2>/dev/null || continue
    image_import "$archive"
    echo "$archive" >>"$state/imported"
  done
  # always imported, because it is rebuilt under the same name
  archive=$here/../../target/taster.tar
  [ ! -e "$archive" ] || image_import "$archive"
}

# The process that holds a pod's namespaces. Its image contains nothing else.
pause_archive() {
  local source=$here/cluster/pause.c out work
  out=$cache/images/taster-pause-$(sha256sum <"$source" | cut -c 1-12).tar
  if [ ! -e "$out" ]; then
    mkdir -p "$cache/images"
    work=$(mktemp -d)
    cc -static -Os -s -o "$work/pause" "$source"
    printf 'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n' >"$work/Dockerfile"
    buildah --storage-driver overlay bud --quiet --isolation chroot --format docker --tag localhost/taster-pause:1 "$work" >/dev/null
    buildah --storage-driver overlay push --quiet localhost/taster-pause:1 "docker-archive:$out.part:localhost/taster-pause:1" >&2
    mv "$out.part" "$out"
    rm -rf "$work"
  fi
  echo "$out"
}
