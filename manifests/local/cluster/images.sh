# shellcheck shell=bash
# The images of the cluster: from archives, as there is no registry to pull from.

ctr_() { ctr --address "$socket" --namespace k8s.io "$@"; }

image_import() { # ARCHIVE
  say "importing $(basename "$1")"
  ctr_ images import "$1" >"$state/log/import.log" 2>&1 || {
    tail -n 5 "$state/log/import.log" >&2
    say "could not import $1"
    exit 1
  }
}

# Fills the caches; afterwards `up` does not depend on the network.
images_build() {
  pause=$(pause_archive)
  "$room/images.sh" >/dev/null
}

# Each archive once: its name says what is in it.
images_import() {
  local archive archives
  archives=$("$room/images.sh")
  for archive in "${pause:-}" $archives; do
    [ -n "$archive" ] && ! grep -qxF "$archive" "$state/imported" 2>/dev/null || continue
    image_import "$archive"
    echo "$archive" >>"$state/imported"
  done
  # rebuilt at any time, under the same name
  archive=$room/../../target/taster.tar
  [ ! -e "$archive" ] || image_import "$archive"
}

# The process that holds a pod's namespaces. It does nothing, so it is made of nothing.
pause_archive() {
  local source=$room/cluster/pause.c out work
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
