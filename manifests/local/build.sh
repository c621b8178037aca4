#!/usr/bin/env bash
# Builds the parts of the test cluster from Go modules, once, into a cache outside the checkout:
#   build.sh kubernetes|dns|kustomize|argocd|all
# Its last line of output is the folder of the built part (`all`: the one of kubernetes; without Argo CD). The folder of
# kubernetes has a program for each part, so it can be used as $KUBEBUILDER_ASSETS.
set -euo pipefail
cd "$(dirname "$0")"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/taster
kustomize_version=v5.8.1
go_wanted=1.25 # the lowest version that compiles all of them

say() { echo "$*" >&2; }

need_go() { # [VERSION]
  local have go_wanted=${1:-$go_wanted}
  if ! command -v go >/dev/null 2>&1; then
    say "missing: Go $go_wanted or newer (https://go.dev/dl/, then put its bin folder on PATH)"
    exit 4
  fi
  have=$(go env GOVERSION)
  if [ "$(printf '%s\n' "$go_wanted" "${have#go}" | sort -V | head -n 1)" != "$go_wanted" ]; then
    say "too old: $have at $(command -v go), wanted is Go $go_wanted or newer (https://go.dev/dl/)"
    exit 4
  fi
}

version_of() { # FOLDER MODULE
  awk -v module="$2" '$1 == module && $2 ~ /^v/ { print $2; exit } $2 == module { print $3; exit }' "$1/go.mod"
}
hash_of() { # FOLDER
  (cd "$1" && cat main.go go.mod go.sum) | sha256sum | cut -c 1-10
}

# Fills a folder of the cache with a function that gets an empty folder: completely or not at all, one process at a time.
fill() { # FOLDER FUNCTION
  local folder=$1 work log
  if [ ! -e "$folder/.complete" ]; then
    need_go
    mkdir -p "$cache"
    exec 9>"$cache/.build.lock"
    if ! flock --nonblock 9; then
      say "waiting for another build that fills $cache"
      flock 9
    fi
    if [ ! -e "$folder/.complete" ]; then
      work=$(mktemp -d "$cache/.build.XXXXXX")
      log=$work.log
      # shellcheck disable=SC2064 # the names as they are now
      trap "rm -rf '$work' '$log'" EXIT
      say "building $(basename "$folder") (once; 8 minutes for kubernetes on 2 cores, 2 or 3 for the others)"
      if ! "$2" "$work" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        say "could not build $(basename "$folder")"
        exit 1
      fi
      touch "$work/.complete"
      chmod 755 "$work"
      rm -rf "$folder"
      mv "$work" "$folder" # within one file system
      rm -f "$log"
      trap - EXIT
    fi
    exec 9>&-
  fi
  echo "$folder"
}

# without cgo the programs run on any Linux, in any image; the compiler's own garbage collection takes a sixth of its time, and
# it seldom needs as much memory as it may use here before it collects
build() { # FOLDER OUT LDFLAGS
  (cd "$1" && CGO_ENABLED=0 GOFLAGS='' GOWORK=off GOGC=off GOMEMLIMIT=3GiB go build -buildvcs=false -trimpath -ldflags "-s -w $3" -o "$2" .)
}

kubernetes() {
  local version
  version=$(version_of kube k8s.io/kubernetes)
  fill_kubernetes() {
    # without a version the API server reports v0.0.0, and clients misjudge its features
    local v=k8s.io/component-base/version major minor
    IFS=. read -r major minor _ <<<"${version#v}"
    build kube "$1/kubernetes" \
      "-X $v.gitVersion=$version -X $v.gitMajor=$major -X $v.gitMinor=$minor -X $v.gitTreeState=clean" || return
    for part in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
      ln -s kubernetes "$1/$part"
    done
    "$1/kube-apiserver" --version
  }
  fill "$cache/kubernetes-$version-$(hash_of kube)" fill_kubernetes
}

dns() {
  fill_dns() {
    build dns "$1/coredns" "" || return
    "$1/coredns" -version
  }
  fill "$cache/coredns-$(version_of dns github.com/coredns/coredns)-$(hash_of dns)" fill_dns
}

kustomize() {
  fill_kustomize() {
    CGO_ENABLED=0 GOFLAGS='' GOWORK=off GOGC=off GOMEMLIMIT=3GiB GOBIN=$1 go install -trimpath -ldflags '-s -w' \
      "sigs.k8s.io/kustomize/kustomize/v5@$kustomize_version" || return
    "$1/kustomize" version
  }
  fill "$cache/kustomize-$kustomize_version" fill_kustomize
}

# Argo CD's application controller and repository server, and the programs that they need on PATH.
argocd() {
  local module=github.com/argoproj/argo-cd/v3
  fill_argocd() {
    local sources part
    need_go 1.26.3 || return
    build argocd "$1/argocd" "" || return
    for part in argocd-application-controller argocd-repo-server argocd-git-ask-pass; do
      ln -s argocd "$1/$part"
    done
    sources=$(cd argocd && GOFLAGS='' GOWORK=off go list -m -f '{{.Dir}}' "$module") || return
    # called for every commit; if it is missing, the only sign is `permission denied` in an Application
    install -m 755 "$sources/hack/git-verify-wrapper.sh" "$1/" || return
    install -D -m 644 -t "$1/crds" "$sources"/manifests/crds/*-crd.yaml || return
    "$1/argocd-repo-server" version || "$1/argocd-repo-server" --help
  }
  fill "$cache/argocd-$(version_of argocd "$module")-$(hash_of argocd)" fill_argocd
}

case "${1:-}" in
  kubernetes | dns | kustomize | argocd) "$1" ;;
  all) dns && kustomize && kubernetes ;;
  *)
    say "usage: build.sh kubernetes|dns|kustomize|argocd|all"
    exit 2
    ;;
esac
