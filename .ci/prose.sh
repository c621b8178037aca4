#!/usr/bin/env bash
# The prose: links and paths, old names, vale with the style of .ci/vale, typos, and the book. The programs are built once
# into the cache, unoptimised. None of it needs the network once they are there.
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

install_crate() { # FOLDER CRATE VERSION [FLAG...]
  # a folder that is there is whole: cargo installs at the end
  [ -x "$1/bin/${2%-cli}" ] || CARGO_PROFILE_DEV_DEBUG=0 cargo install --locked --quiet --debug --root "$1" --version "$3" "${@:4}" "$2"
}
if [ ! -x "$vale" ]; then
  command -v go >/dev/null || { echo "missing: go (vale is built from its Go module, github.com/errata-ai/vale until 3.19)" >&2; exit 4; }
  GOFLAGS=-mod=mod GOBIN=$(dirname "$vale") go install "github.com/vale-cli/vale/v3/cmd/vale@v$vale_version"
fi
# without the table of American and British spellings, which takes longer to compile than all the rest
install_crate "$cache/typos-$typos_version" typos-cli "$typos_version" --no-default-features --features dict
install_crate "$cache/mdbook-$mdbook_version" mdbook "$mdbook_version" --no-default-features
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
check "spelling" "$typos" --config .ci/typos.toml --format brief
exit "$failed"
