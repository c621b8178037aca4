#!/usr/bin/env bash
# Ten thousand requests made from the server's own OpenAPI document, good ones and bad ones: no answer may have a status,
# a type or a shape that the document does not name, and none may be a 500. REQUESTS=1000 makes it shorter.
set -euo pipefail
cd "$(dirname "$0")/.."

version=4.32.5
requests=${REQUESTS:-10000}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/taster
tools=$cache/schemathesis-$version
if [ ! -e "$tools/done" ]; then
  rm -rf "$tools"
  mkdir -p "$tools"
  python3 -m pip install --quiet --disable-pip-version-check --no-compile --root-user-action=ignore \
    --target "$tools" "schemathesis==$version"
  touch "$tools/done"
fi

# runs of every kind to ask for, as the test of the pages leaves them
pages=$PWD/target/pages
if [ ! -d "$pages/store" ]; then
  mkdir -p "$pages"
  TASTER_PAGES_DIR=$pages/store "${CARGO:-cargo}" test --locked --quiet --workspace --test it pages::what_a_database
fi
coproc served { exec target/debug/taster serve --store "file://$pages/store" --listen 127.0.0.1:0 2>"$pages/api.log"; }
trap 'kill $served_PID 2>/dev/null || true' EXIT
read -r line <&"${served[0]}"
url=${line#listening on }

answered() {
  curl -fsS "$url/metrics" | awk '/^taster_http_requests_total/ {n += $NF} END {print n + 0}'
}
before=$(answered)
round=0
while [ "$(($(answered) - before))" -lt "$requests" ]; do
  round=$((round + 1))
  seed=$((20261125 + round))
  echo "schemathesis $version, seed $seed"
  SCHEMATHESIS_HOOKS=hooks PYTHONPATH=$tools:.ci/api PYTHONDONTWRITEBYTECODE=1 python3 "$tools/bin/schemathesis" run "$url/openapi.json" --no-color --seed "$seed" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,negative_data_rejection,unsupported_method \
    --phases examples,coverage,fuzzing --max-examples $((requests / 6)) --workers 1 --generation-database none --no-shrink \
    --suppress-health-check all --request-timeout 30 ${API_ARGS:-}
done
echo "$(($(answered) - before)) requests answered, no 500, no status or shape that /openapi.json does not name"
curl -fsS "$url/metrics" | sed -nE 's/^taster_http_requests_total\{.*status="([0-9]+)".* ([0-9.]+)$/\1 \2/p' |
  awk '{n[$1] += $2} END {for (status in n) printf "  %s: %d\n", status, n[status]}' | sort
