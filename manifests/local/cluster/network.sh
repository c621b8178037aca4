# shellcheck shell=bash
# The network namespace of the cluster. A cable runs from it to the machine, so that a kubeconfig works on both sides;
# neither side has a route beyond it, so nothing in the cluster reaches anything else.

network_make() {
  local inside=(ip -n "$(basename "$netns")")
  ip netns add "$(basename "$netns")"
  ip link add "$host_link" type veth peer name node0 netns "$(basename "$netns")"
  ip addr add "$host_ip/30" dev "$host_link"
  ip link set "$host_link" up
  "${inside[@]}" link set lo up
  "${inside[@]}" addr add "$node_ip/30" dev node0
  "${inside[@]}" link set node0 up
  # a Service's address is on no interface; without a route to it the packet is refused before kube-proxy rewrites it
  "${inside[@]}" route add "$services" dev node0
}
