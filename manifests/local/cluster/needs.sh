# shellcheck shell=bash
# What the machine must have. Debian's packages are installed; all else is said, with the way to get it.

need_root() {
  if [ "$(id -u)" -ne 0 ]; then
    say "missing: root (network namespaces, mounts and containerd want it): sudo -E make cluster"
    exit 4
  fi
}

need_packages() {
  local missing=() fresh_containerd=
  need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || missing+=("$2")
  }
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
  # without it, debootstrap on another distribution believes any mirror
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
  [ -x /usr/lib/cni/ptp ] || missing+=(containernetworking-plugins)
  [ -e /usr/lib/x86_64-linux-gnu/libc.a ] || compgen -G '/usr/lib/*/libc.a' >/dev/null || missing+=(libc6-dev)
  [ ${#missing[@]} -gt 0 ] || return 0

  if ! command -v apt-get >/dev/null 2>&1; then
    say "missing, and there is no apt-get to install them: ${missing[*]}"
    exit 4
  fi
  command -v containerd >/dev/null 2>&1 || fresh_containerd=yes
  say "installing: ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    say "missing, and could not be installed: ${missing[*]}"
    exit 4
  fi
  rm -f "$log"
  # Debian starts what it installs; a containerd that came for this cluster alone is not wanted beside ours
  if [ -n "$fresh_containerd" ] && command -v systemctl >/dev/null 2>&1; then
    systemctl disable --now containerd >/dev/null 2>&1 || true
  fi
}
