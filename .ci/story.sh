#!/usr/bin/env bash
# Plays the whole story under a real Argo CD on this machine's cluster, TIMES times: story.sh [TIMES]
# BINARY=target/release/taster plays it with an existing binary. A cluster that ran before keeps running; one that this
# script started is removed.
#
# Exits with 4, and names it, when the machine lacks something.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=manifests/local/cluster.sh
times=${1:-1}

remove_cluster() {
  local code=$?
  $cluster down || code=1
  $cluster check-clean || code=1
  exit "$code"
}
status=0
$cluster status >/dev/null 2>&1 || status=$?
if [ "$status" -eq 3 ]; then # there is none
  trap remove_cluster EXIT
fi
ARGOCD=1 $cluster up >/dev/null
if [ -z "${BINARY:-}" ]; then
  "${CARGO:-cargo}" build --locked
  BINARY=${CARGO_TARGET_DIR:-target}/debug/taster
fi
BINARY=$BINARY OUT=target/taster.tar BUILD_IMAGE=local BASE_IMAGE=local .ci/image.sh
for _ in $(seq "$times"); do manifests/local/gitops.sh target/taster.tar; done
