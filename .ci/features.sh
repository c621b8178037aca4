#!/usr/bin/env bash
# `make demo` and `make test` share one build, so the crates of the binary must have the same features in both. Where a
# dependency of tests asks for more features, cargo compiles that crate and its dependents a second time, silently.
set -euo pipefail
cd "$(dirname "$0")/.."

# macros are programs of their own: one that needs the same crate with the features of the binary would hide a difference
crates() { # MANIFEST-ARGUMENTS EDGES
  "${CARGO:-cargo}" tree --locked "${@:1:$#-1}" --edges "${!#},no-proc-macro" --prefix none --no-dedupe --format '{p} {f}' | sort -u
}
binary=$(crates --manifest-path host/taster/Cargo.toml normal)
tests=$(crates --workspace normal,dev)

if grep -q '^taster-testkit ' <<<"$binary"; then
  echo "the binary depends on taster-testkit, which is for tests and benchmarks alone" >&2
  exit 1
fi
# lines of the binary that the tests lack: the same crate with other features
twice=$(comm -23 <(echo "$binary") <(echo "$tests") | cut -d ' ' -f 1,2)
[ -z "$twice" ] || { printf 'compiled twice, with other features in tests; see host/taster/Cargo.toml:\n%s\n' "$twice" >&2; exit 1; }
