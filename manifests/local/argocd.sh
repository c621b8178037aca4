#!/usr/bin/env bash
# Argo CD on the cluster of cluster.sh: application controller, repository server, Redis and a git server, as processes in the
# cluster's namespaces, so that they end with it. `ARGOCD=1 cluster.sh up` calls this.
#
#   argocd.sh up       starts it, if it does not run
#   argocd.sh status   prints which parts run
#
# Repositories are bare folders in STATE/git. Argo CD reads them as git://127.0.0.1:29418/NAME.git; push to the folder.
# shellcheck source-path=SCRIPTDIR
set -Eeuo pipefail
trap '[ $? -eq 4 ] || echo "failed at line $LINENO of ${BASH_SOURCE[0]}: $BASH_COMMAND" >&2' ERR
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=cluster/names.sh
source "$here/cluster/names.sh"
# shellcheck source=cluster/needs.sh
source "$here/cluster/needs.sh"

mine=$state/argocd
redis=127.0.0.1:26379
repository=127.0.0.1:28081

# The first process of the cluster, whose namespaces are entered.
first_process() {
  local init
  init=$(cat "$state/init.pid" 2>/dev/null) && pgrep --parent "$init" | head -n 1
}
inside() { nsenter --target "$(first_process)" --net --mount --pid "$@"; }
k() { "$kube/kubectl" --kubeconfig "$kubeconfig" --request-timeout 10s "$@"; }

part() { # NAME COMMAND...
  inside setsid env -i HOME="$mine/home" TMPDIR="$mine/tmp" PATH="$argocd:$kustomize:$kube:/usr/bin:/bin" \
    KUBECONFIG="$kubeconfig" ARGOCD_FAKE_IN_CLUSTER=true ARGOCD_GPG_ENABLED=false \
    "${@:2}" >"$state/log/$1.log" 2>&1 </dev/null 9<&- &
  echo $! >"$mine/$1.pid"
}

await() { # NAME PART SECONDS COMMAND...
  local deadline=$((SECONDS + $3))
  until "${@:4}" >/dev/null 2>&1; do
    if ! kill -0 "$(cat "$mine/$2.pid")" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
      say "$1: it ended, or did not answer within $3 s; the end of $state/log/$2.log:"
      tail -n 15 "$state/log/$2.log" >&2
      exit 1
    fi
    sleep 0.2
  done
  say "$1 ($SECONDS s)"
}
answers() { inside curl --silent --fail --max-time 2 "http://127.0.0.1:$1/$2"; }
git_answers() { inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/29418'; }
redis_answers() { [ "$(inside redis-cli -p "${redis#*:}" ping)" = PONG ]; }

objects() {
  k apply --server-side --field-manager taster-local -f "$argocd/crds" >/dev/null
  # created is not served yet: on a busy machine, an object of the new kinds is refused until then; and a kind that has no
  # condition at all yet is an error for `kubectl wait`
  local deadline=$((SECONDS + 60)) error
  until error=$(k wait --for condition=established --timeout 10s -f "$argocd/crds" 2>&1 >/dev/null); do
    if [ "$SECONDS" -ge "$deadline" ]; then
      say "the kinds of Argo CD are not served: $error"
      exit 1
    fi
    sleep 0.2
  done
  k create namespace argocd --dry-run=client -o yaml | k apply --server-side --field-manager taster-local -f - >/dev/null
  # the ConfigMap first as an installation creates it, then with the additions of manifests/argocd
  k apply --server-side --field-manager taster-local -f - >/dev/null <<YAML
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, namespace: argocd, labels: {app.kubernetes.io/name: argocd-cm, app.kubernetes.io/part-of: argocd}}
---
apiVersion: v1
kind: Secret
metadata: {name: argocd-secret, namespace: argocd, labels: {app.kubernetes.io/name: argocd-secret, app.kubernetes.io/part-of: argocd}}
stringData: {server.secretkey: $(openssl rand -hex 32)}
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: default, namespace: argocd}
spec:
  sourceRepos: ["*"]
  destinations: [{server: "*", namespace: "*"}]
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
YAML
  k apply --server-side --field-manager taster -f "$here/../argocd/argocd-cm.yaml" >/dev/null
}

up() {
  need_root
  [ -e "$state/ready" ] && [ -n "$(first_process)" ] || { say "no cluster runs: cluster.sh up"; exit 3; }
  kube=$(cat "$state/kube")
  if [ -e "$mine/ready" ]; then
    say "Argo CD: already running"
    return
  fi
  need_argocd
  argocd=$("$here/build.sh" argocd | tail -n 1)
  kustomize=$("$here/build.sh" kustomize | tail -n 1)
  SECONDS=0
  mkdir -p "$mine"/{home,tmp} "$state/git"
  # git checks the owner of a repository, and the daemon may run as another user
  printf '[safe]\n\tdirectory = *\n' >"$mine/home/.gitconfig"
  objects
  part redis redis-server --bind "${redis%:*}" --port "${redis#*:}" --save "" --appendonly no --dir "$mine/tmp"
  part git-daemon git daemon --reuseaddr --listen=127.0.0.1 --port=29418 --base-path="$state/git" --export-all
  part argocd-repo-server argocd-repo-server --address "${repository%:*}" --port "${repository#*:}" --metrics-address 127.0.0.1 \
    --metrics-port 28082 --disable-tls --client-ca-path "" --redis "$redis"
  await "redis" redis 20 redis_answers
  await "git" git-daemon 20 git_answers
  await "repository server" argocd-repo-server 60 answers 28082 'healthz?full=true'
  # no jitter, and a refresh of each Application every 10 s instead of minutes, to keep the tests short
  part argocd-application-controller argocd-application-controller --kubeconfig "$kubeconfig" --namespace argocd \
    --repo-server "$repository" --repo-server-plaintext --redis "$redis" --metrics-port 28083 \
    --app-resync 10 --app-resync-jitter 0
  await "application controller" argocd-application-controller 60 answers 28083 healthz
  touch "$mine/ready"
  say "Argo CD is ready; its logs: $state/log/argocd-*.log"
}

status() {
  local part
  [ -e "$mine/ready" ] || { say "Argo CD: not running"; exit 3; }
  for part in redis git-daemon argocd-repo-server argocd-application-controller; do
    kill -0 "$(cat "$mine/$part.pid")" 2>/dev/null && echo "$part runs" || echo "$part has ended: $state/log/$part.log"
  done
}

case "${1:-}" in
  up) up ;;
  status) status ;;
  *)
    say "usage: argocd.sh up|status"
    exit 2
    ;;
esac
