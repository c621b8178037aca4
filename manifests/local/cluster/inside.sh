#!/usr/bin/env bash
# The first process in the cluster's namespaces: hides the files that the parts create, starts the parts, and waits.
# `cluster.sh` runs it. When it ends, all parts end.
# shellcheck source-path=SCRIPTDIR
set -uo pipefail
state=$1 kube=$2 dns=$3
here=$(cd "$(dirname "$0")/.." && pwd)
export TASTER_CLUSTER_STATE=$state PATH=$kube:$PATH:/usr/sbin:/sbin
# shellcheck source=names.sh
source "$here/cluster/names.sh"
config=$state/config pki=$state/pki

# Fixed paths of the parts (/run/containerd, /run/netns, /var/lib/cni, /var/lib/kubelet/device-plugins, /var/log/containers)
# are on a file system that ends with this namespace.
mount --make-rprivate /
exec 8<"$state"
for hidden in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs "$hidden"; done
mkdir -p "$state" /run/lock
mount --no-canonicalize --bind /proc/self/fd/8 "$state"
exec 8<&-

# The kubelet sets these sysctls for the whole machine; here it sets copies.
for key in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  [ -e "/proc/sys/$key" ] || continue
  copy=/run/sysctl-${key//\//-}
  cat "/proc/sys/$key" >"$copy"
  mount --bind "$copy" "/proc/sys/$key"
done
# mounts of a pod propagate to the other parts from here on
mount --make-rshared /
ip netns list >/dev/null

part() { # NAME COMMAND...
  local name=$1
  {
    "${@:2}" >"$state/log/$name.log" 2>&1
    echo $? >"$state/ended/$name"
  } &
}

part etcd etcd --data-dir "$state/etcd" --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 \
  --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --log-level warn
part containerd containerd --config "$config/containerd.toml" --log-level info
part kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 --secure-port 6443 \
  --bind-address 0.0.0.0 --advertise-address "$node_ip" \
  --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" --client-ca-file "$pki/ca.crt" \
  --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --anonymous-auth=false \
  --service-account-issuer https://kubernetes.default.svc.cluster.local \
  --service-account-key-file "$pki/service-accounts.pub" --service-account-signing-key-file "$pki/service-accounts.key" \
  --service-cluster-ip-range "$services" \
  --kubelet-client-certificate "$pki/kube-apiserver.crt" --kubelet-client-key "$pki/kube-apiserver.key" \
  --kubelet-preferred-address-types InternalIP --profiling=false

# the other parts exit when they do not reach an API server in time
until kubectl --kubeconfig "$kubeconfig" get --raw /readyz >/dev/null 2>&1; do
  [ -e "$state/ended/kube-apiserver" ] && break
  sleep 0.2
done

part kube-controller-manager kube-controller-manager --kubeconfig "$config/kube-controller-manager.kubeconfig" \
  --service-account-private-key-file "$pki/service-accounts.key" --root-ca-file "$pki/ca.crt" \
  --use-service-account-credentials --leader-elect=false --cluster-cidr "$pods" --allocate-node-cidrs=false \
  --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key" --profiling=false \
  --bind-address 127.0.0.1 --flex-volume-plugin-dir "$state/kubelet/plugins"
part kube-scheduler kube-scheduler --kubeconfig "$config/kube-scheduler.kubeconfig" --leader-elect=false --bind-address 127.0.0.1
part kubelet kubelet --config "$config/kubelet.yaml" --kubeconfig "$config/kubelet.kubeconfig" \
  --hostname-override "$node" --node-ip "$node_ip" --root-dir "$state/kubelet" --cert-dir "$state/kubelet-pki"
# the conntrack sysctls belong to the machine and cannot be set here
part kube-proxy kube-proxy --kubeconfig "$config/kube-proxy.kubeconfig" --hostname-override "$node" \
  --proxy-mode nftables --cluster-cidr "$pods" --conntrack-max-per-core 0 --conntrack-min 0 \
  --conntrack-tcp-timeout-established 0s --conntrack-tcp-timeout-close-wait 0s
part coredns "$dns/coredns" -conf "$config/Corefile"

# also reaps the children of the pods' shims
while :; do wait -n || true; sleep 1; done
