#!/usr/bin/env bash
# Runs the commands of the book's page "The hooks, step by step" on an empty namespace, and prints them with their output.
# Its first lines make cluster and image; those are taken as they are: walkthrough.sh [IMAGE.tar]
set -euo pipefail
room=$(cd "$(dirname "$0")" && pwd)
manifests=$(dirname "$room")
# shellcheck source=story/stage.sh
source "$room/story/stage.sh"
bin=${KUBEBUILDER_ASSETS:-$("$room/build.sh" kubernetes | tail -n 1)}
state=${TASTER_CLUSTER_STATE:-/var/lib/taster-cluster}
[ -n "${KUBECONFIG:-}" ] || KUBECONFIG=$("$room/cluster.sh" up)
export KUBECONFIG
[ "$KUBECONFIG" = "$state/kubeconfig" ] || { echo "the page uses the cluster of cluster.sh" >&2; exit 4; }
volumes=$state/volumes
[ $# -eq 0 ] || "$room/cluster.sh" load "$1"

# an empty cluster, as at its beginning
wipe
whole delete namespace "$namespace" --wait --timeout 60s >/dev/null
whole delete -f "$room/volumes.yaml" >/dev/null

# `config set-context` writes into the kubeconfig
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$KUBECONFIG" "$work/kubeconfig"
export KUBECONFIG=$work/kubeconfig PATH=$bin:$PATH

cd "$manifests"
# shellcheck disable=SC2016 # the backticks are Markdown
sed -n '/^```sh$/,/^```$/p' ../docs/src/guides/hooks.md | sed '/^```/d' | sed '1,/^cd manifests$/d' >"$work/commands"
[ "$(grep -c . "$work/commands")" -gt 10 ] || { echo "docs/src/guides/hooks.md has no commands" >&2; exit 1; }
sed "s#local/volumes.yaml#$work/volumes.yaml#" "$work/commands" >"$work/run"
sed "s#/var/lib/taster-cluster/volumes#$volumes#" "$room/volumes.yaml" >"$work/volumes.yaml"
PS4='$ ' bash -eux "$work/run"

job=$(k get jobs --selector app.kubernetes.io/component=post -o 'jsonpath={.items[0].metadata.name}')
scene=docs/src/guides/hooks.md
holds "the post hook" "$(said "$job")" "different" "missing"
