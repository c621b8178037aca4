#!/usr/bin/env bash
# `make demo` and `make test` share one build: no crate of the binary may get other features from what only tests need.
# Where one does, cargo compiles it and all that stands on it twice, and says nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

# made for tests alone, and nothing of the binary stands on it
apart='^(wit-component) '
crates() { # EDGES
  "${CARGO:-cargo}" tree --locked --workspace --edges "$1" --prefix none --no-dedupe --format '{p} {f}' | grep -vE "$apart" | sort -u
}
# a crate of the binary whose line the tests do not have as well
binary=$(crates normal)
tests=$(crates normal,dev)
twice=$(comm -23 <(echo "$binary") <(echo "$tests") | cut -d ' ' -f 1,2)
[ -z "$twice" ] || { printf 'compiled twice, for other features in tests; see host/taster/Cargo.toml:\n%s\n' "$twice" >&2; exit 1; }
