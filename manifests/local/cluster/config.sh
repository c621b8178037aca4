# shellcheck shell=bash
# Creates the keys, kubeconfigs and configuration of the parts, anew for each cluster.

certificate() { # NAME SUBJECT [SUBJECT-ALTERNATIVE-NAMES]
  local extensions=extendedKeyUsage=clientAuth
  [ -z "${3:-}" ] || extensions=$(printf 'extendedKeyUsage=serverAuth\nsubjectAltName=%s' "$3")
  openssl ecparam -genkey -name prime256v1 -noout -out "$pki/$1.key"
  openssl req -new -key "$pki/$1.key" -subj "$2" -out "$pki/$1.csr"
  openssl x509 -req -in "$pki/$1.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 30 -sha256 \
    -extfile <(echo "$extensions") -out "$pki/$1.crt" 2>/dev/null
}

kubeconfig_for() { # NAME FILE: self-contained, so that it can be copied
  cat >"$2" <<YAML
apiVersion: v1
kind: Config
clusters:
  - name: taster-local
    cluster: {server: "https://$node_ip:6443", certificate-authority-data: $(base64 -w 0 "$pki/ca.crt")}
users:
  - name: $1
    user: {client-certificate-data: $(base64 -w 0 "$pki/$1.crt"), client-key-data: $(base64 -w 0 "$pki/$1.key")}
contexts:
  - name: taster-local
    context: {cluster: taster-local, user: $1}
current-context: taster-local
YAML
  chmod 600 "$2"
}

config_write() {
  pki=$state/pki
  local config=$state/config
  mkdir -p "$pki" "$config/cni"
  chmod 700 "$pki"

  openssl ecparam -genkey -name prime256v1 -noout -out "$pki/ca.key"
  openssl req -x509 -new -key "$pki/ca.key" -subj "/CN=taster-local" -days 30 -sha256 -out "$pki/ca.crt"
  certificate apiserver "/CN=kube-apiserver" \
    "IP:$node_ip,IP:$kubernetes_ip,IP:127.0.0.1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
  openssl ecparam -genkey -name prime256v1 -noout -out "$pki/service-accounts.key"
  openssl ec -in "$pki/service-accounts.key" -pubout -out "$pki/service-accounts.pub" 2>/dev/null

  # certificates identify the users; the built-in roles of Kubernetes grant their rights
  certificate admin "/O=system:masters/CN=admin"
  certificate kube-apiserver "/O=system:masters/CN=kube-apiserver"
  certificate kube-controller-manager "/CN=system:kube-controller-manager"
  certificate kube-scheduler "/CN=system:kube-scheduler"
  certificate kubelet "/O=system:nodes/CN=system:node:$node"
  certificate kube-proxy "/CN=system:kube-proxy"
  certificate coredns "/CN=taster-local-dns"
  for part in kube-controller-manager kube-scheduler kubelet kube-proxy coredns; do
    kubeconfig_for $part "$config/$part.kubeconfig"
  done
  kubeconfig_for admin "$kubeconfig"

  # Point to point instead of a bridge: pods reach each other through the node, so that the answer to a rewritten packet
  # returns the same way. On a bridge that needs the kernel module br_netfilter.
  cat >"$config/cni/10-taster.conflist" <<JSON
{
  "cniVersion": "0.4.0", "name": "taster",
  "plugins": [
    {"type": "ptp", "mtu": 1500, "ipam": {"type": "host-local", "dataDir": "$state/cni",
      "ranges": [[{"subnet": "$pods"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON

  # restrict_oom_score_adj: without CAP_SYS_RESOURCE, root cannot lower a score, and runc fails with
  # "can't get final child's PID from pipe: EOF"
  cat >"$config/containerd.toml" <<TOML
version = 2
root = "$state/containerd"
state = "$state/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.opt"]
[grpc]
address = "$socket"
[ttrpc]
address = "$socket.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/taster-pause:1"
restrict_oom_score_adj = true
tolerate_missing_hugetlb_controller = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$config/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
TOML

  echo "# pods use the DNS of the cluster; there is no other" >"$config/resolv.conf"
  cat >"$config/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $pki/ca.crt}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix://$socket
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
enforceNodeAllocatable: []
failSwapOn: false
clusterDNS: [$dns_ip]
clusterDomain: cluster.local
resolvConf: $config/resolv.conf
podLogsDir: $state/log/pods
volumePluginDir: $state/kubelet/plugins
# the disk of a test machine may be full, and evicting the tests would not help
evictionHard: {imagefs.available: 1%, nodefs.available: 1%, memory.available: 50Mi}
imageGCHighThresholdPercent: 100
imageMinimumGCAge: 24h
# short intervals, so that the end of a Job is noticed at once
syncFrequency: 10s
shutdownGracePeriod: 0s
YAML

  # names outside the cluster get "no such name" and not "try again later", which clients would wait for
  cat >"$config/Corefile" <<'DNS'
cluster.local in-addr.arpa {
    errors
    kubernetes {
        kubeconfig KUBECONFIG
        pods insecure
        ttl 1
    }
}
. {
    errors
    ready
    template ANY ANY {
        rcode NXDOMAIN
    }
}
DNS
  sed -i "s|KUBECONFIG|$config/coredns.kubeconfig|" "$config/Corefile"
}

# Creates the root cgroup that the kubelet expects. All pods of this cluster are below it, and nothing else.
cgroups_make() {
  local parent set controller
  for parent in $(cgroup_parents); do
    # version 2: a child has the controllers that its parent enables
    if [ -e "$parent/cgroup.subtree_control" ]; then
      for controller in $(cat "$parent/cgroup.controllers"); do
        grep -qw "$controller" "$parent/cgroup.subtree_control" || echo "+$controller" >"$parent/cgroup.subtree_control" || true
      done
    fi
    mkdir -p "$parent/$cgroup"
    # version 1: a new cpuset has no processor and no memory, so no process could join it
    for set in cpus mems; do
      [ ! -e "$parent/$cgroup/cpuset.$set" ] || [ ! -e "$parent/cgroup.clone_children" ] ||
        cat "$parent/cpuset.$set" >"$parent/$cgroup/cpuset.$set"
    done
  done
}

cgroup_parents() {
  findmnt --noheadings --list --output TARGET --types cgroup,cgroup2 | sort -u
}
