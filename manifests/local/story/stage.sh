# shellcheck shell=bash
# Functions of story.sh and gitops.sh: the shop in staging, hook Jobs as Argo CD starts them, waits, assertions.

namespace=pxbbq

k() { "$bin/kubectl" --namespace "$namespace" --request-timeout 20s "$@"; }
k_cluster() { "$bin/kubectl" --request-timeout 20s "$@"; } # without a namespace

scene() {
  scene=$1
  printf '\n== %s (%ss)\n' "$1" "$SECONDS"
}

pass() { printf '   ok: %s\n' "$*"; }

fail() {
  printf '\nFAILED in «%s»: %s\n' "$scene" "$*" >&2
  exit 1
}

equals() { # NAME ACTUAL EXPECTED
  [ "$2" = "$3" ] || fail "$1 is «$2», not «$3»"
  pass "$1: $2"
}

contains() { # NAME TEXT PART...
  local part
  for part in "${@:3}"; do
    [[ "$2" == *"$part"* ]] || fail "$1 does not contain «$part», but is «$2»"
  done
  pass "$1: ${2:0:400}"
}

# Runs a command until it succeeds.
wait_until() { # NAME SECONDS COMMAND...
  local deadline=$((SECONDS + $2))
  until "${@:3}" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "$1: not within $2 s"
    sleep 0.1
  done
}

now_ms() { date +%s%3N; }

# ---- staging

# On another cluster, a namespace of this name may be in use.
refuse_foreign_namespace() {
  [ -z "$volumes" ] || return 0
  [ -n "$(k_cluster get namespace "$namespace" --ignore-not-found --output name)" ] || return 0
  [ -z "$(k_cluster get namespace "$namespace" --output 'jsonpath={.metadata.labels.taster\.dev/story}')" ] || return 0
  echo "the cluster of KUBECONFIG ($KUBECONFIG) has a namespace $namespace that this test has not created and would delete" >&2
  echo "unset KUBECONFIG to use a cluster on this machine, or label the namespace taster.dev/story=yes" >&2
  exit 4
}

reset_namespace() { # creates an empty namespace and empties the volumes
  refuse_foreign_namespace
  k_cluster delete namespace "$namespace" --ignore-not-found --wait --timeout 180s --request-timeout 0 >/dev/null
  if [ -n "$volumes" ]; then
    k_cluster delete persistentvolume pxbbq-mongo pxbbq-results --ignore-not-found >/dev/null
    find "$volumes/mongo" "$volumes/taster" -mindepth 1 -delete
    sed "s#/var/lib/taster-cluster/volumes#$volumes#" "$here/volumes.yaml" | k_cluster create -f - >/dev/null
  fi
  k_cluster create namespace "$namespace" >/dev/null
  k_cluster label namespace "$namespace" taster.dev/story=yes >/dev/null
}

# Applies what the Application stage-pxbbq-taster deploys, with changes to taster.yaml, and the Secret that a team creates.
apply_configuration() { # [SED]
  local file
  for file in serviceaccount role results abandoned config; do
    sed "${1:-}" "$manifests/hooks/$file.yaml"
    echo ---
  done | k apply --server-side --field-manager argocd-controller -f - >/dev/null
  k create secret generic taster-mongodb --from-literal=uri="mongodb://mongo:27017/pxbbq" --dry-run=client -o yaml |
    k apply --server-side -f - >/dev/null
  # the test starts it
  k patch cronjob taster-abandoned --patch '{"spec": {"suspend": true}}' >/dev/null
}

# What the Application stage-pxbbq does in its Sync phase: applies the overlay, with the current replicas where the workload
# exists (RespectIgnoreDifferences), else with Git's.
apply_release() { # VERSION
  local mongo web
  mongo=$(k get statefulset mongo -o 'jsonpath={.spec.replicas}' 2>/dev/null || echo 0)
  web=$(k get deployment pxbbq-web -o 'jsonpath={.spec.replicas}' 2>/dev/null || echo 0)
  mkdir -p "$work/git/overlays/sync"
  cat >"$work/git/overlays/sync/kustomization.yaml" <<YAML
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../stage]
replicas: [{name: mongo, count: $mongo}, {name: pxbbq-web, count: $web}]
images: [{name: pxbbq-web, newTag: $1}]
YAML
  "$kustomize" build "$work/git/overlays/sync" | k apply --server-side --field-manager argocd-controller -f - >/dev/null
  k rollout status statefulset/mongo --timeout 120s --request-timeout 0 >/dev/null
  k rollout status deployment/pxbbq-web --timeout 120s --request-timeout 0 >/dev/null
  pass "synced: pxbbq-web $1, mongo at $mongo, pxbbq-web at $web"
}

replicas() { # spec.replicas/status.replicas
  k get statefulset/mongo deployment/pxbbq-web \
    -o 'jsonpath={range .items[*]}{.metadata.name} {.spec.replicas}/{.status.replicas}, {end}' |
    sed -E 's#/,#/0,#g; s/, $//'
}

scale_records() { # the records of the original replicas, on the workloads
  k get statefulset/mongo deployment/pxbbq-web -o 'jsonpath={range .items[*]}{.metadata.annotations.taster\.dev/scaled}{end}'
}

holder() { k get lease taster-pxbbq -o 'jsonpath={.spec.holderIdentity}'; }

held() { [ -n "$(holder)" ]; }

is_restored() {
  [[ "$(replicas)" =~ ^mongo\ 0/[0-9]+,\ pxbbq-web\ 0/[0-9]+$ ]] && [ -z "$(scale_records)" ] && ! held
}

shop_is_stopped() { [ "$(replicas)" = "mongo 0/0, pxbbq-web 0/0" ]; }

wait_restored() { # SECONDS: waits until replicas, records and lock are as before; then until the pods have ended
  local began ended
  began=$(now_ms)
  wait_until "replicas, records and lock as before" "$1" is_restored
  ended=$(now_ms)
  pass "restored after $((ended - began)) ms: $(replicas), no record on the workloads, the lock is free"
  wait_until "the pods of the shop end" 90 shop_is_stopped
}

# ---- hook Jobs

# Sets `unix`: one value for all hooks of a sync, different for each sync.
begin_run() {
  local last=${unix:-0}
  unix=$(date +%s)
  [ "$unix" -gt "$last" ] || unix=$((last + 1))
}

# Starts a hook with the name that Argo CD gives it: without a revision, because stage has two sources. Sets `job`.
start_hook() { # FILE PHASE
  local prefix
  prefix=$(sed -n 's/^  generateName: //p' "$manifests/hooks/$1.yaml")
  job=$prefix-$2-$unix
  sed "s/^  generateName: .*/  name: $job/" "$manifests/hooks/$1.yaml" | k create -f - >/dev/null
}

condition() { # JOB: prints Complete or Failed; fails where the Job has not ended
  k get job "$1" -o 'jsonpath={range .status.conditions[?(@.status=="True")]}{.type}{"\n"}{end}' |
    grep -x -e Complete -e Failed
}

wait_for_job() { # JOB SECONDS EXPECTED: Complete or Failed
  wait_until "$1 ends" "$2" condition "$1"
  local how message
  how=$(condition "$1")
  [ "$how" = "$3" ] || fail "$1 is $how, not $3: $(termination_message "$1")"
  message=$(k get job "$1" -o "jsonpath={.status.conditions[?(@.type==\"$how\")].message}")
  pass "$1 is $how: $message"
  # keeps the log, so that later checks need not find the pod
  k logs "job/$1" >"$work/$1.log" 2>&1 || true
}

pod_of() { # JOB: its newest pod
  k get pods --selector "batch.kubernetes.io/job-name=$1" --sort-by .metadata.creationTimestamp -o name |
    tail -n 1 | sed 's#.*/##'
}

terminated() { # JOB FIELD: of the container's terminated state
  k get pod "$(pod_of "$1")" -o "jsonpath={.status.containerStatuses[0].state.terminated.$2}"
}

termination_message() { terminated "$1" message; }

uid_of() { k get pod "$(pod_of "$1")" -o 'jsonpath={.metadata.uid}'; }

annotation() { # JOB NAME
  k get job "$1" -o "jsonpath={.metadata.annotations.taster\.dev/$2}"
}

scaled_up() { [ "$(k get statefulset mongo -o 'jsonpath={.spec.replicas}')" = 1 ] && [ -n "$(scale_records)" ]; }

# Kills with SIGKILL, as the kernel does when memory runs out.
kill_hook() { # JOB
  local uid process found=()
  uid=$(uid_of "$1")
  for process in /proc/[0-9]*; do
    if grep -qF "$uid" "$process/cgroup" 2>/dev/null && [ "$(cat "$process/comm" 2>/dev/null)" = taster ]; then
      found+=("${process#/proc/}")
    fi
  done
  [ ${#found[@]} -gt 0 ] || fail "no process of pod $uid on this machine"
  kill -9 "${found[@]}"
}

# ---- diagnostics

dump_cluster() {
  set +e
  if ! k_cluster get --raw /readyz >/dev/null 2>&1; then
    echo "---- the API server does not answer"
    return
  fi
  echo "---- state of the cluster"
  echo "replicas: $(replicas); records: $(scale_records); lock: $(holder)"
  k get statefulsets,deployments,jobs,pods,leases -o wide
  k get events --sort-by .metadata.creationTimestamp | tail -n 40
  local pod
  for pod in $(k get pods -o name); do
    echo "---- $pod"
    k describe "$pod" | sed -n -E '/^ +(Image|State|Last State|Ready|Restart Count):/,/^ +(Ready|Restart Count|Environment):/p; /^Events:/,$p'
    k logs "$pod" --all-containers --tail 60 2>&1 | tail -n 60
    k logs "$pod" --all-containers --previous --tail 20 2>/dev/null
  done
} >&2
