#!/usr/bin/env bash
# The tests that need Kubernetes: the room's and the flows' against a control plane, then the story of the hooks on a real node.
# TIMES=2 plays it twice: the second time finds what the first has left.
#
#   KUBEBUILDER_ASSETS   a folder with etcd, kube-apiserver, kube-controller-manager and kubectl, instead of building them
#   KUBECONFIG           a cluster that has the images, instead of starting one
#
# Ends with 4 when the machine lacks something, which is said.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=manifests/local/cluster.sh

if [ -z "${KUBEBUILDER_ASSETS:-}" ]; then
  KUBEBUILDER_ASSETS=$(manifests/local/build.sh kubernetes | tail -n 1)
fi
export KUBEBUILDER_ASSETS
# of the whole workspace, as `make test` has built it: for one crate, cargo would choose other features
log=$(mktemp)
"${CARGO:-cargo}" test --locked --workspace --test it -- --ignored | tee "$log"
# a filter that fits nothing passes as well
awk -v least=70 '/^test result: ok/ { sum += $4 } END { if (sum < least) { print sum " tests passed, not " least; exit 1 } }' "$log"
rm -f "$log"

# who works with this machine's cluster by hand wants that one, with what is built now
if [ "${KUBECONFIG:-}" = "${TASTER_CLUSTER_STATE:-/var/lib/taster-cluster}/kubeconfig" ]; then unset KUBECONFIG; fi

story=(manifests/local/story.sh)
if [ -z "${KUBECONFIG:-}" ]; then
  # one that was there before stays, and another checkout's is not ours to remove
  found=0
  $cluster status >/dev/null 2>&1 || found=$?
  if [ "$found" -eq 3 ]; then # none
    trap 'code=$?; $cluster down || code=1; $cluster check-clean || code=1; exit $code' EXIT
  fi
  KUBECONFIG=$($cluster up)
  export KUBECONFIG
  "${CARGO:-cargo}" build --locked
  BINARY=${CARGO_TARGET_DIR:-target}/debug/taster OUT=target/taster.tar BUILD_IMAGE=local BASE_IMAGE=local .ci/image.sh
  story+=(target/taster.tar)
fi
for _ in $(seq "${TIMES:-1}"); do "${story[@]}"; done
# the commands of the book are for the cluster of this machine
[ ${#story[@]} -eq 1 ] || manifests/local/walkthrough.sh
