# shellcheck shell=bash
# Removes the cluster, and checks whether anything of it is left.

# Removes what it finds on the machine, and not only what a complete `up` has created.
down() {
  local process inode parent folder attempt
  inode=$(netns_inode || true)
  # the end of the first process ends all others of the pid namespace; the rest is for one that had only just started
  if [ -n "$inode" ]; then
    for attempt in $(seq 100); do
      local found=
      for process in /proc/[0-9]*; do
        if [ "$(readlink "$process/ns/net" 2>/dev/null)" = "$inode" ]; then
          found=yes
          kill -KILL "${process#/proc/}" 2>/dev/null || true
        fi
      done
      [ -n "$found" ] || break
      sleep 0.1
    done
  fi
  # pods have their own network namespaces
  for parent in $(cgroup_parents); do
    folder=$parent/$cgroup
    for attempt in $(seq 100); do
      [ -d "$folder" ] || break
      find "$folder" -name cgroup.procs -exec cat {} + 2>/dev/null | { grep -vx 0 || true; } | xargs --no-run-if-empty kill -KILL 2>/dev/null || true
      find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
      [ ! -d "$folder" ] || sleep 0.1
    done
    [ ! -d "$folder" ] || say "still there: $folder"
  done
  # removing one end of a virtual Ethernet link removes both
  if ip link show "$host_link" >/dev/null 2>&1; then ip link delete "$host_link"; fi
  [ ! -e "$netns" ] || ip netns delete "$(basename "$netns")"
  # the first `ip netns add` mounts the folder
  if [ -d "$(dirname "$netns")" ] && [ -e "$before" ] && ! grep -qx "mount $(dirname "$netns")" "$before"; then
    umount "$(dirname "$netns")" 2>/dev/null || true
    rmdir "$(dirname "$netns")" 2>/dev/null || true
  fi
  # left by a process that had not yet entered its mount namespace
  findmnt --noheadings --list --output TARGET | awk -v under="$state/" 'index($0, under) == 1' | sort -r | xargs --no-run-if-empty umount --lazy
  rm -rf --one-file-system "$state"
  rm -f "$owner"
  if [ -d "$state" ]; then
    say "could not remove $state"
    exit 1
  fi
  say "nothing is left of the cluster"
}

# Lists what a cluster could leave on a machine, one item per line.
snapshot() {
  findmnt --noheadings --list --output TARGET | sed 's/^/mount /' | sort
  ip netns list | sed 's/^/namespace /' | sort
  ip -brief link | awk '{ print "link " $1 }' | sort
  ip route | sed 's/^/route /'
  { nft list tables 2>/dev/null || true; } | sort
  local parent key
  for parent in $(cgroup_parents); do find "$parent" -mindepth 1 -maxdepth 1 -type d -printf 'cgroup %p\n'; done | sort
  # not every machine has all of these folders
  { find /run /run/containerd /var/lib /var/lib/cni /var/lib/kubelet /var/log /etc/cni /opt/cni /usr/libexec \
    -mindepth 1 -maxdepth 1 -printf 'file %p\n' 2>/dev/null || true; } | sort
  for key in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes \
    net/ipv4/ip_forward; do
    echo "sysctl $key $(cat "/proc/sys/$key" 2>/dev/null)"
  done
  # processes of the parts, recognized by their arguments
  pgrep -af "containerd-shim.*$state|$here/cluster/inside.sh|--kubeconfig $state|$state/config" | sed 's/^/process /' || true
}

check_clean() {
  if [ ! -e "$before" ]; then
    say "no cluster was started on this machine by this user"
    return
  fi
  local changed
  if changed=$(diff "$before" <(snapshot)); then
    say "clean: as before the last up"
    return
  fi
  say "this is not as it was before the last up (<), but now (>):"
  grep '^[<>]' <<<"$changed" >&2
  exit 1
}
