#!/usr/bin/env bash
# Sends the server valid and invalid requests that are generated from its own OpenAPI document. Fails on a response whose
# status, content type or shape is not in the document, and on any 500. REQUESTS (default 2000) is the least number of them.
set -euo pipefail
cd "$(dirname "$0")/.."

version=4.32.5
requests=${REQUESTS:-2000}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/taster
tools=$cache/schemathesis-$version
if [ ! -e "$tools/done" ]; then
  rm -rf "$tools"
  mkdir -p "$tools"
  python3 -m pip install --quiet --disable-pip-version-check --no-compile --root-user-action=ignore \
    --target "$tools" "schemathesis==$version"
  touch "$tools/done"
fi

# shellcheck source=.ci/web/server.sh
source .ci/web/server.sh
[ -d "$pages/store" ] || fill_pages
serve_pages "$pages/api.log"

answered() {
  curl -fsS "$url/metrics" | awk '/^taster_http_requests_total/ {n += $NF} END {print n + 0}'
}
read -ra arguments <<<"${API_ARGS:-}"
before=$(answered)
round=0
while [ "$(($(answered) - before))" -lt "$requests" ]; do
  round=$((round + 1))
  seed=$((20261125 + round))
  echo "schemathesis $version, seed $seed"
  SCHEMATHESIS_HOOKS=hooks PYTHONPATH=$tools:.ci/api PYTHONDONTWRITEBYTECODE=1 python3 "$tools/bin/schemathesis" run "$url/openapi.json" --no-color --seed "$seed" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,negative_data_rejection,unsupported_method \
    --phases examples,coverage,fuzzing --max-examples $((requests / 6)) --workers 1 --generation-database none --no-shrink \
    --suppress-health-check all --request-timeout 30 "${arguments[@]}"
done
echo "$(($(answered) - before)) requests answered, no 500, no status or shape that /openapi.json does not name"
curl -fsS "$url/metrics" | sed -nE 's/^taster_http_requests_total\{.*status="([0-9]+)".* ([0-9.]+)$/\1 \2/p' |
  awk '{n[$1] += $2} END {for (status in n) printf "  %s: %d\n", status, n[status]}' | sort
