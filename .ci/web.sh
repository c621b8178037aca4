#!/usr/bin/env bash
# The pages, looked at with a real browser: screenshots, links, accessibility, hostile text, times. Needs Node; fetches
# the rest once. Screenshots are left in target/pages.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/taster
export CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v google-chrome || true)}
if [ -z "$CHROMIUM" ] || ! command -v npm >/dev/null; then
  missing=()
  [ -n "$CHROMIUM" ] || missing+=(chromium fonts-dejavu-core)
  command -v npm >/dev/null || missing+=(nodejs npm)
  echo "installing: ${missing[*]}"
  sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  log=$(mktemp)
  if ! { "${sudo[@]}" apt-get update && DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "could not install: ${missing[*]}" >&2
    exit 1
  fi
  CHROMIUM=${CHROMIUM:-$(command -v chromium)}
fi

# the packages are pinned with their digests; a folder of another lock file is another folder
tools=$cache/web-$(sha256sum .ci/web/package-lock.json | cut -c1-12)
if [ ! -e "$tools/done" ]; then
  mkdir -p "$tools"
  cp .ci/web/package.json .ci/web/package-lock.json "$tools/"
  npm ci --prefix "$tools" --ignore-scripts --no-audit --no-fund --loglevel=error
  touch "$tools/done"
fi

pages=$PWD/target/pages
rm -rf "$pages"
mkdir -p "$pages"
TASTER_PAGES_DIR=$pages/store cargo test --locked --quiet -p taster-taster --test it pages::what_a_database
coproc served { exec target/debug/taster serve --store "file://$pages/store" --listen 127.0.0.1:0 2>"$pages/serve.log"; }
trap 'kill $served_PID 2>/dev/null || true' EXIT
read -r line <&"${served[0]}"
url=${line#listening on }
mapfile -t reports < <(find "$pages/store" -path '*hostile*' -name report.html -o -path '*large*' -name report.html)
cp .ci/web/pages.mjs "$tools/"
node "$tools/pages.mjs" "$url" "$pages/screenshots" "${reports[@]}"
