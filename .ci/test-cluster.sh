#!/usr/bin/env bash
# The tests that need Kubernetes: those of host/cluster and host/taster against a control plane, then the story of the hooks
# on a real node. TIMES=2 plays the story twice: the second time starts from what the first has left.
#
#   KUBEBUILDER_ASSETS   a folder with etcd, kube-apiserver, kube-controller-manager and kubectl, instead of building them
#   KUBECONFIG           a cluster that has the images, instead of starting one
#
# Exits with 4, and names it, when the machine lacks something.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=manifests/local/cluster.sh
remove_cluster() {
  local code=$?
  $cluster down || code=1
  $cluster check-clean || code=1
  exit "$code"
}

if [ -z "${KUBEBUILDER_ASSETS:-}" ]; then
  KUBEBUILDER_ASSETS=$(manifests/local/build.sh kubernetes | tail -n 1)
fi
export KUBEBUILDER_ASSETS
.ci/tests.py --ignored --least 70

# $KUBECONFIG of this machine's own cluster: it is used, with an image of the current build
if [ "${KUBECONFIG:-}" = "${TASTER_CLUSTER_STATE:-/var/lib/taster-cluster}/kubeconfig" ]; then unset KUBECONFIG; fi

story=(manifests/local/story.sh)
if [ -z "${KUBECONFIG:-}" ]; then
  # a cluster that ran before keeps running, be it this checkout's or another's
  status=0
  $cluster status >/dev/null 2>&1 || status=$?
  if [ "$status" -eq 3 ]; then # there is none
    trap remove_cluster EXIT
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
