#!/usr/bin/env bash
# A real Kubernetes on this machine, for tests, from package registries only:
#
#   cluster.sh up                 starts it, or finds it started; the only line on stdout is the path of the kubeconfig
#   cluster.sh down               leaves nothing behind, wherever `up` had got to
#   cluster.sh status             what runs
#   cluster.sh load FILE.tar...   imports images
#   cluster.sh check-clean        names what `down` has left behind, if anything
#
# With ARGOCD=1, `up` starts Argo CD on it, too (argocd.sh). Ends with 4 when the machine lacks something, and says what. README.md beside this file tells how it is made.
# shellcheck source-path=SCRIPTDIR
set -Eeuo pipefail
# 4: what is missing has been said
trap '[ $? -eq 4 ] || echo "failed at line $LINENO of ${BASH_SOURCE[0]}: $BASH_COMMAND" >&2' ERR
room=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=cluster/names.sh
source "$room/cluster/names.sh"
# shellcheck source=cluster/needs.sh
source "$room/cluster/needs.sh"
# shellcheck source=cluster/config.sh
source "$room/cluster/config.sh"
# shellcheck source=cluster/network.sh
source "$room/cluster/network.sh"
# shellcheck source=cluster/images.sh
source "$room/cluster/images.sh"
# shellcheck source=cluster/clean.sh
source "$room/cluster/clean.sh"

running() {
  local init
  init=$(cat "$state/init.pid" 2>/dev/null) && [ -n "$init" ] && [ "$(readlink "/proc/$init/ns/net")" = "$(netns_inode)" ]
}

# Asks until the answer is yes; a part that has ended, or too long a time, is the end of `up`.
await() { # WHAT PART SECONDS COMMAND...
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

up() {
  need_root
  refuse_another
  if running && [ -e "$state/ready" ]; then
    kube=$(cat "$state/kube")
    images_import
    say "already running"
    beside
    echo "$kubeconfig"
    return
  fi
  need_packages
  # what a package leaves is not ours to remove, so it is there before it is looked how the machine is
  [ -z "${ARGOCD:-}" ] || need_argocd
  kube=$("$room/build.sh" kubernetes | tail -n 1)
  dns=$("$room/build.sh" dns | tail -n 1)
  images_build

  # What an `up` left that was killed half-way, and nothing that was made by somebody else.
  if [ -e "$owner" ]; then
    down
  elif [ -e "$netns" ] || [ -n "$(ls -A "$state" 2>/dev/null)" ]; then
    say "not made by this script, so not removed by it: $state or the network namespace $(basename "$netns")"
    say "remove them, or choose another folder by TASTER_CLUSTER_STATE"
    exit 1
  fi
  SECONDS=0
  snapshot >"$before"
  printf '%s\n' "$state" "$room" >"$owner"
  mkdir -p "$state"/{run,log,ended,volumes}
  echo "$kube" >"$state/kube"
  # a volume belongs to whoever uses it: the kubelet makes folders for root, and fsGroup does not reach hostPath
  install -d -o 65532 -g 65532 "$state"/volumes/{taster,s3}
  install -d -o 999 -g 999 "$state"/volumes/{mongo,prod,stage}
  cgroups_make
  network_make
  config_write

  # In a pid and a mount namespace of its own: with its first process everything ends, pods included, and no mount, socket
  # or log of it is ever seen outside.
  nsenter --net="$netns" setsid unshare --mount --pid --fork --kill-child --mount-proc \
    "$room/cluster/inside.sh" "$state" "$kube" "$dns" >"$state/log/inside.log" 2>&1 </dev/null 9<&- &
  echo $! >"$state/init.pid"

  await "API server" kube-apiserver 120 kubectl get --raw /readyz
  kubectl apply --server-side -f "$room/cluster/objects.yaml" >"$state/log/objects.log" 2>&1 || {
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
  say "ready; remove it with: $room/cluster.sh down"
  beside
  echo "$kubeconfig"
}

beside() { [ -z "${ARGOCD:-}" ] || "$room/argocd.sh" up >&2 9<&-; }

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
  say "usage: cluster.sh up|down|status|load FILE.tar...|check-clean"
  exit 2
}

# one at a time in this checkout; what is started gets no hand on the lock
exec 9<"$room/cluster.sh"
command=${1:-}
case "$command" in
  up | down) flock 9 ;;
esac
case "$command" in
  up) up ;;
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
