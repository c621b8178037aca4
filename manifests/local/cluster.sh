#!/usr/bin/env bash
# A real Kubernetes on this machine, for tests, from package registries only:
#
#   cluster.sh up                 starts it, if it does not run; prints the path of the kubeconfig, and nothing else, on stdout
#   cluster.sh prepare            only installs and builds what `up` needs
#   cluster.sh down               removes everything, even after an `up` that was interrupted
#   cluster.sh status             prints which parts run
#   cluster.sh load FILE.tar...   imports images
#   cluster.sh check-clean        prints what `down` has not removed, if anything
#
# With ARGOCD=1, `up` also starts Argo CD (argocd.sh). Exits with 4 after naming what the machine lacks. See README.md.
# shellcheck source-path=SCRIPTDIR
set -Eeuo pipefail
# 4: what is missing has been printed already
trap '[ $? -eq 4 ] || echo "failed at line $LINENO of ${BASH_SOURCE[0]}: $BASH_COMMAND" >&2' ERR
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=cluster/names.sh
source "$here/cluster/names.sh"
# shellcheck source=cluster/needs.sh
source "$here/cluster/needs.sh"
# shellcheck source=cluster/config.sh
source "$here/cluster/config.sh"
# shellcheck source=cluster/network.sh
source "$here/cluster/network.sh"
# shellcheck source=cluster/images.sh
source "$here/cluster/images.sh"
# shellcheck source=cluster/clean.sh
source "$here/cluster/clean.sh"

running() {
  local init
  init=$(cat "$state/init.pid" 2>/dev/null) && [ -n "$init" ] && [ "$(readlink "/proc/$init/ns/net")" = "$(netns_inode)" ]
}

# Runs a command until it succeeds. Exits when a part has ended, or at the time limit.
await() { # NAME PART SECONDS COMMAND...
  local what=$1 part=$2 deadline=$((SECONDS + $3)) ended
  until "${@:4}" >/dev/null 2>&1; do
    for ended in "$state"/ended/*; do
      [ -e "$ended" ] || continue
      say "$(basename "$ended") ended with $(cat "$ended"):"
      tail -n 15 "$state/log/$(basename "$ended").log" >&2
      exit 1
    done
    if [ "$SECONDS" -ge "$deadline" ]; then
      say "$what: not within $3 s; the end of $state/log/$part.log:"
      tail -n 15 "$state/log/$part.log" >&2
      exit 1
    fi
    sleep 0.2
  done
  say "$what ($SECONDS s)"
}

kubectl() { "$kube/kubectl" --kubeconfig "$kubeconfig" --request-timeout 10s "$@"; }
node_ready() { [[ "$(kubectl get node "$node" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" == True ]]; }
dns_ready() { [[ "$(http "$node_ip" 8181 /ready)" == *" 200 "* ]]; }
proxy_ready() { [[ "$(http "$node_ip" 10256 /healthz)" == *" 200 "* ]]; }
containerd_ready() { ctr_ version; }
http() { # HOST PORT PATH
  local first
  exec 5<>"/dev/tcp/$1/$2" || return
  printf 'GET %s HTTP/1.0\r\n\r\n' "$3" >&5
  read -r first <&5
  exec 5>&-
  echo "$first"
}

prepare() {
  need_packages
  [ -z "${ARGOCD:-}" ] || need_argocd
  kube=$("$here/build.sh" kubernetes | tail -n 1)
  dns=$("$here/build.sh" dns | tail -n 1)
  images_build
  if [ -n "${ARGOCD:-}" ]; then
    "$here/build.sh" argocd >/dev/null
    "$here/build.sh" kustomize >/dev/null
  fi
}

up() {
  need_root
  refuse_another
  if running && [ -e "$state/ready" ]; then
    kube=$(cat "$state/kube")
    images_import
    say "already running"
    start_argocd
    echo "$kubeconfig"
    return
  fi
  # before the snapshot of the machine, because `down` does not remove packages
  prepare

  # removes what an interrupted `up` has left, but nothing that others have created
  if [ -e "$owner" ]; then
    down
  elif [ -e "$netns" ] || [ -n "$(ls -A "$state" 2>/dev/null)" ]; then
    say "not created by this script, so not removed by it: $state or the network namespace $(basename "$netns")"
    say "remove them, or set TASTER_CLUSTER_STATE to another folder"
    exit 1
  fi
  SECONDS=0
  snapshot >"$before"
  printf '%s\n' "$state" "$here" >"$owner"
  mkdir -p "$state"/{run,log,ended,volumes}
  echo "$kube" >"$state/kube"
  # volumes get the right owner here: the kubelet creates folders for root, and fsGroup does not apply to hostPath
  install -d -o 65532 -g 65532 "$state"/volumes/{taster,s3}
  install -d -o 999 -g 999 "$state"/volumes/{mongo,prod,stage}
  cgroups_make
  network_make
  config_write

  # In its own pid and mount namespaces: when the first process ends, everything ends, pods included, and no mount, socket
  # or log is visible outside.
  nsenter --net="$netns" setsid unshare --mount --pid --fork --kill-child --mount-proc \
    "$here/cluster/inside.sh" "$state" "$kube" "$dns" >"$state/log/inside.log" 2>&1 </dev/null 9<&- &
  echo $! >"$state/init.pid"

  await "API server" kube-apiserver 120 kubectl get --raw /readyz
  kubectl apply --server-side -f "$here/cluster/objects.yaml" >"$state/log/objects.log" 2>&1 || {
    cat "$state/log/objects.log" >&2
    exit 1
  }
  await "containerd" containerd 60 containerd_ready
  images_import &
  local import=$!
  await "node" kubelet 120 node_ready
  await "kube-proxy" kube-proxy 60 proxy_ready
  await "DNS" coredns 60 dns_ready
  await "service accounts" kube-controller-manager 60 kubectl get serviceaccount default
  wait "$import"
  say "images ($SECONDS s)"
  touch "$state/ready"
  say "ready; remove it with: $here/cluster.sh down"
  start_argocd
  echo "$kubeconfig"
}

start_argocd() { [ -z "${ARGOCD:-}" ] || "$here/argocd.sh" up >&2 9<&-; }

status() {
  refuse_another
  if ! running; then
    echo "not running"
    exit 3
  fi
  kube=$(cat "$state/kube")
  echo "kubeconfig: $kubeconfig"
  echo "logs: $state/log"
  kubectl get nodes,pods --all-namespaces -o wide
}

load() {
  [ $# -gt 0 ] || usage
  need_root
  refuse_another
  running || { say "not running: cluster.sh up"; exit 3; }
  kube=$(cat "$state/kube")
  local archive
  for archive in "$@"; do image_import "$archive"; done
}

usage() {
  say "usage: cluster.sh up|prepare|down|status|load FILE.tar...|check-clean"
  exit 2
}

# one `up` or `down` at a time in this checkout; the started processes do not inherit the lock
exec 9<"$here/cluster.sh"
command=${1:-}
case "$command" in
  up | prepare | down) flock 9 ;;
esac
case "$command" in
  up) up ;;
  prepare)
    need_root
    prepare
    ;;
  down)
    need_root
    refuse_another_state
    down
    ;;
  status) status ;;
  load) load "${@:2}" ;;
  check-clean) check_clean ;;
  *) usage ;;
esac
