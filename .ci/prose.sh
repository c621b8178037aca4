#!/usr/bin/env bash
# The prose: links and paths, old names, vale with the style of .ci/vale, its words in messages, typos, and the book.
# The programs are built or fetched once into the cache. None of it needs the network once they are there.
#
#   prose.sh          everything
#   prose.sh tools    only build the programs
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/taster
vale_version=3.21.0 typos_version=1.52.0 mdbook_version=0.5.4
vale=$cache/vale-$vale_version/vale
typos=$cache/typos-$typos_version/bin/typos
mdbook=$cache/mdbook-$mdbook_version/bin/mdbook

if [ ! -x "$vale" ]; then
  command -v go >/dev/null || { echo "missing: go (vale is built from its Go module, github.com/errata-ai/vale until 3.19)" >&2; exit 4; }
  GOFLAGS=-mod=mod GOBIN=$(dirname "$vale") go install "github.com/vale-cli/vale/v3/cmd/vale@v$vale_version"
fi
if [ ! -x "$typos" ]; then
  if [ "$(uname -sm)" = "Linux x86_64" ]; then
    # its Python package has the program in it; its tables of words take an hour of two processors to compile
    work=$(mktemp -d "$cache/.typos.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
      --platform manylinux2014_x86_64 --dest "$work" "typos==$typos_version"
    wheel=$(echo "$work"/*.whl)
    echo "418fd85f7fc11dec14e5482e747f6e916af56da96207cde0cdd69540a4b389f6  $wheel" | sha256sum --check --quiet
    python3 -m zipfile --extract "$wheel" "$work"
    install -D --mode=755 "$work/typos-$typos_version.data/scripts/typos" "$typos"
  else
    cargo install --locked --quiet --root "$cache/typos-$typos_version" --version "$typos_version" typos-cli
  fi
fi
# unoptimised, without its server: it renders some twenty pages
[ -x "$mdbook" ] || CARGO_PROFILE_DEV_DEBUG=0 cargo install --locked --quiet --debug --root "$cache/mdbook-$mdbook_version" \
  --version "$mdbook_version" --no-default-features mdbook
[ "${1:-}" != tools ] || exit 0

failed=0
check() { # NAME COMMAND...
  echo "-- $1"
  "${@:2}" || { echo "   failed: $1" >&2; failed=1; }
}
check "the book" "$mdbook" build docs
check "links, paths, names of tests" python3 .ci/docs/check.py docs/book
check "old names" .ci/old-names.sh
check "words and sentences" "$vale" --config .ci/vale/vale.ini --output line --no-wrap \
  README.md ARCHITECTURE.md CONTRIBUTING.md SECURITY.md CHANGELOG.md manifests/README.md manifests/local/README.md docs/src
check "words in messages, checked by itself" .ci/docs/strings.py --self-test
check "words in messages" .ci/docs/strings.py
check "spelling" "$typos" --config .ci/typos.toml --format brief
exit "$failed"
