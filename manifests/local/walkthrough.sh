#!/usr/bin/env bash
# Runs the commands of the book's page "The hooks, step by step" in an empty namespace, and prints them with their output. It
# skips the first ones, which build cluster and image, and uses existing ones: walkthrough.sh [IMAGE.tar]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
manifests=$(dirname "$here")
# shellcheck source=story/stage.sh
source "$here/story/stage.sh"
bin=${KUBEBUILDER_ASSETS:-$("$here/build.sh" kubernetes | tail -n 1)}
state=${TASTER_CLUSTER_STATE:-/var/lib/taster-cluster}
[ -n "${KUBECONFIG:-}" ] || KUBECONFIG=$("$here/cluster.sh" up)
export KUBECONFIG
[ "$KUBECONFIG" = "$state/kubeconfig" ] || { echo "the page is about the cluster of cluster.sh: unset KUBECONFIG" >&2; exit 4; }
volumes=$state/volumes
[ $# -eq 0 ] || "$here/cluster.sh" load "$1"

# an empty cluster, as at the beginning of the page
reset_namespace
k_cluster delete namespace "$namespace" --wait --timeout 60s >/dev/null
k_cluster delete -f "$here/volumes.yaml" >/dev/null

# `config set-context` writes into the kubeconfig
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$KUBECONFIG" "$work/kubeconfig"
export KUBECONFIG=$work/kubeconfig PATH=$bin:$PATH

cd "$manifests"
# shellcheck disable=SC2016 # the backticks belong to Markdown
sed -n '/^```sh$/,/^```$/p' ../docs/src/guides/hooks.md | sed '/^```/d' | sed '1,/^cd manifests$/d' >"$work/commands"
[ "$(grep -c . "$work/commands")" -gt 10 ] || { echo "docs/src/guides/hooks.md has no commands after: cd manifests" >&2; exit 1; }
sed "s#local/volumes.yaml#$work/volumes.yaml#" "$work/commands" >"$work/run"
sed "s#/var/lib/taster-cluster/volumes#$volumes#" "$here/volumes.yaml" >"$work/volumes.yaml"
PS4='$ ' bash -eux "$work/run"

job=$(k get jobs --selector app.kubernetes.io/component=post -o 'jsonpath={.items[0].metadata.name}')
scene=docs/src/guides/hooks.md
contains "the post hook" "$(termination_message "$job")" "different" "missing"
