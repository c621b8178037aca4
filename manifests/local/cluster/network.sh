# shellcheck shell=bash
# The network namespace of the cluster. A virtual Ethernet link connects it to the machine, so that a kubeconfig works on both
# sides. Neither side has a route beyond the link, so the cluster reaches nothing else.

network_make() {
  local inside=(ip -n "$(basename "$netns")")
  ip netns add "$(basename "$netns")"
  ip link add "$host_link" type veth peer name node0 netns "$(basename "$netns")"
  ip addr add "$host_ip/30" dev "$host_link"
  ip link set "$host_link" up
  "${inside[@]}" link set lo up
  "${inside[@]}" addr add "$node_ip/30" dev node0
  "${inside[@]}" link set node0 up
  # the address of a Service is on no interface: without a route, a packet is dropped before kube-proxy rewrites it
  "${inside[@]}" route add "$services" dev node0
}
