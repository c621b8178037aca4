# shellcheck shell=bash disable=SC2034
# Names, paths and addresses of the cluster, and the owner of the one that may run.

state=${TASTER_CLUSTER_STATE:-/var/lib/taster-cluster}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/taster
kubeconfig=$state/kubeconfig
node=taster
netns=/run/netns/taster
# two lines: the state folder and the checkout of the running cluster
owner=/run/taster-cluster
# snapshot of the machine before the last `up`
before=$cache/cluster-before
cgroup=taster-cluster

# The link between the cluster and the machine. There is no route beyond it.
host_link=taster0
host_ip=10.213.0.1
node_ip=10.213.0.2
pods=10.244.0.0/24
services=10.96.0.0/16
kubernetes_ip=10.96.0.1
dns_ip=10.96.0.10
socket=$state/run/containerd.sock

say() { echo "$*" >&2; }

netns_inode() { [ -e "$netns" ] && echo "net:[$(stat -Lc %i "$netns")]"; }

owned_by() { # STATE|CHECKOUT
  local folders=()
  [ -e "$owner" ] && mapfile -t folders <"$owner"
  case "$1" in
    STATE) echo "${folders[0]:-}" ;;
    CHECKOUT) echo "${folders[1]:-}" ;;
  esac
}

refuse_another_state() {
  local other
  other=$(owned_by STATE)
  if [ -n "$other" ] && [ "$other" != "$state" ]; then
    say "another cluster runs on this machine, with its state in $other. Only one can run; remove it with:"
    say "  TASTER_CLUSTER_STATE=$other $(owned_by CHECKOUT)/cluster.sh down"
    exit 1
  fi
}

refuse_another() {
  refuse_another_state
  local other
  other=$(owned_by CHECKOUT)
  if [ -n "$other" ] && [ "$other" != "$here" ]; then
    say "the cluster of another checkout runs on this machine: $other. Only one can run; remove it with:"
    say "  $here/cluster.sh down"
    exit 1
  fi
}
