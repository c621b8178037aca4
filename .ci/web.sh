#!/usr/bin/env bash
# The pages, looked at with a real browser: screenshots, links, accessibility, hostile text, times. Needs Node; fetches
# the rest once. Screenshots are left in target/pages.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=.ci/web/tools.sh
source .ci/web/tools.sh

pages=$PWD/target/pages
rm -rf "$pages"
mkdir -p "$pages"
TASTER_PAGES_DIR=$pages/store "${CARGO:-cargo}" test --locked --quiet --workspace --test it pages::what_a_database
coproc served { exec target/debug/taster serve --store "file://$pages/store" --listen 127.0.0.1:0 2>"$pages/serve.log"; }
trap 'kill $served_PID 2>/dev/null || true' EXIT
read -r line <&"${served[0]}"
url=${line#listening on }
mapfile -t reports < <(find "$pages/store" -path '*hostile*' -name report.html -o -path '*large*' -name report.html)
cp .ci/web/pages.mjs "$tools/"
node "$tools/pages.mjs" "$url" "$pages/screenshots" "${reports[@]}"
