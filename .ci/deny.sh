#!/usr/bin/env bash
# Licences, sources, bans and known advisories of every dependency. cargo-deny is built once into the cache.
#
# The advisories are RustSec's: from the network where it can be reached, else from a copy beside this checkout
# (ADVISORY_DB, by default ../shared/advisory-db). A finding fails, unless deny.toml ignores it with a reason and a date.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/taster
root=$cache/cargo-deny-$version
if [ ! -x "$root/bin/cargo-deny" ]; then
  # unoptimised: it reads lock files, and is built in half the time
  cargo install --locked --quiet --debug --root "$root" --version $version \
    --no-default-features cargo-deny
fi
deny() { # CONFIGURATION CHECKS...
  for manifest in Cargo.toml probes/Cargo.toml; do
    "$root/bin/cargo-deny" --log-level warn --config "$1" --manifest-path "$manifest" check "${@:2}"
  done
}

deny deny.toml bans licenses sources

network=https://github.com/RustSec/advisory-db
copy=${ADVISORY_DB:-../shared/advisory-db}
if timeout 60 git ls-remote --exit-code $network HEAD >/dev/null 2>&1; then
  deny deny.toml advisories
  echo "advisories: checked against $network as it is now"
elif [ -d "$copy/crates" ]; then
  # cargo-deny clones its database by git: the copy, a plain folder, becomes a repository that git takes for the network's
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  git init --quiet --initial-branch main "$work/database"
  git --git-dir "$work/database/.git" --work-tree "$copy" add --all
  git --git-dir "$work/database/.git" -c user.name=ci -c user.email=ci@localhost commit --quiet --message copy
  # a clone of its own: the one in Cargo's folder is the network's
  sed "s|^\[advisories\]$|&\ndb-path = \"$work/clones\"|" deny.toml >"$work/deny.toml"
  grep -q '^db-path' "$work/deny.toml" || { echo "deny.toml has no line [advisories]" >&2; exit 1; }
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$work/database.insteadOf" GIT_CONFIG_VALUE_0=$network
  deny "$work/deny.toml" advisories
  [ -n "$(find "$work/clones" -name 'RUSTSEC-*.md' -print -quit)" ] || { echo "cargo-deny did not clone the copy" >&2; exit 1; }
  advisories=$(find "$copy/crates" "$copy/rust" -name '*.md' | wc -l)
  newest=$(grep -rhoE '^date = "[0-9-]+"' "$copy/crates" | sort | tail -n 1 | cut -d '"' -f 2)
  echo "advisories: checked against $advisories advisories in $copy, the newest of $newest; $network cannot be reached"
else
  echo "advisories: NOT CHECKED: $network cannot be reached, and there is no copy at $copy"
fi
