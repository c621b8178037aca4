# shellcheck shell=bash
# Requirements of the machine. Missing Debian packages are installed; anything else is named, with how to get it.

need_root() {
  if [ "$(id -u)" -ne 0 ]; then
    say "missing: root (network namespaces, mounts and containerd want it): sudo -E make cluster"
    exit 4
  fi
}

missing=()
need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}

need_packages() {
  missing=()
  need containerd containerd
  need ctr containerd
  need runc runc
  need buildah buildah
  need debootstrap debootstrap
  need ip iproute2
  need nft nftables
  need iptables iptables
  need conntrack conntrack
  need openssl openssl
  need cc gcc
  need mount mount
  need pgrep procps
  # without it, debootstrap on another distribution trusts any mirror
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
  [ -x /usr/lib/cni/ptp ] || missing+=(containernetworking-plugins)
  [ -e /usr/lib/x86_64-linux-gnu/libc.a ] || compgen -G '/usr/lib/*/libc.a' >/dev/null || missing+=(libc6-dev)
  install_missing
}

need_argocd() {
  missing=()
  need git git
  need curl curl
  need redis-server redis-server
  need redis-cli redis-tools
  install_missing
}

install_missing() {
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    say "missing, and there is no apt-get to install them: ${missing[*]}"
    exit 4
  fi
  say "installing: ${missing[*]}"
  local log service
  log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    say "missing, and could not be installed: ${missing[*]}"
    exit 4
  fi
  rm -f "$log"
  # Debian starts the services that it installs; one that was installed for this cluster is stopped
  for service in containerd redis-server; do
    if [[ " ${missing[*]} " == *" $service "* ]] && command -v systemctl >/dev/null 2>&1; then
      systemctl disable --now "$service" >/dev/null 2>&1 || true
    fi
  done
}
