#!/usr/bin/env bash
# The whole story under a real Argo CD, on this machine's cluster, as often as it is asked to: story.sh [TIMES]
# BINARY=target/release/taster plays it with one that is built. A cluster that was there before stays; one that was started for this is removed.
#
# Ends with 4 when the machine lacks something, which is said.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=manifests/local/cluster.sh
times=${1:-1}

found=0
$cluster status >/dev/null 2>&1 || found=$?
if [ "$found" -eq 3 ]; then # none
  trap 'code=$?; $cluster down || code=1; $cluster check-clean || code=1; exit $code' EXIT
fi
ARGOCD=1 $cluster up >/dev/null
if [ -z "${BINARY:-}" ]; then
  "${CARGO:-cargo}" build --locked
  BINARY=${CARGO_TARGET_DIR:-target}/debug/taster
fi
BINARY=$BINARY OUT=target/taster.tar BUILD_IMAGE=local BASE_IMAGE=local .ci/image.sh
for _ in $(seq "$times"); do manifests/local/gitops.sh target/taster.tar; done
