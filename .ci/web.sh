#!/usr/bin/env bash
# Checks the pages in a real browser: screenshots, links, accessibility, hostile text, times. Needs Node; fetches the rest
# once. The screenshots stay in target/pages.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=.ci/web/tools.sh
source .ci/web/tools.sh
# shellcheck source=.ci/web/server.sh
source .ci/web/server.sh

fill_pages
serve_pages "$pages/serve.log"
mapfile -t reports < <(find "$pages/store" -path '*hostile*' -name report.html -o -path '*large*' -name report.html)
cp .ci/web/pages.mjs "$tools/"
node "$tools/pages.mjs" "$url" "$pages/screenshots" "${reports[@]}"
