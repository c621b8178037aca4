# shellcheck shell=bash
# What the scenes of the story are made of: the shop on the stage, hook Jobs as Argo CD would start them, waiting, asserting.

namespace=pxbbq

k() { "$bin/kubectl" --namespace "$namespace" --request-timeout 20s "$@"; }
whole() { "$bin/kubectl" --request-timeout 20s "$@"; } # of the cluster, in no namespace

scene() {
  scene=$1
  printf '\n== %s (%ss)\n' "$1" "$SECONDS"
}

seen() { printf '   ok: %s\n' "$*"; }

fail() {
  printf '\nFAILED in «%s»: %s\n' "$scene" "$*" >&2
  exit 1
}

equal() { # WHAT IS EXPECTED
  [ "$2" = "$3" ] || fail "$1 is «$2», not «$3»"
  seen "$1: $2"
}

holds() { # WHAT TEXT PART...
  local part
  for part in "${@:3}"; do
    [[ "$2" == *"$part"* ]] || fail "$1 does not say «$part», but «$2»"
  done
  seen "$1: ${2:0:400}"
}

# Asks until the answer is yes. What is waited for is in the cluster and changes by itself; nothing is slept for.
until_true() { # WHAT SECONDS COMMAND...
  local deadline=$((SECONDS + $2))
  until "${@:3}" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "$1: not within $2 s"
    sleep 0.1
  done
}

now_ms() { date +%s%3N; }

# ---- the stage

# A namespace of this name on somebody's cluster is somebody's shop.
refuse_a_stranger() {
  [ -z "$volumes" ] || return 0
  [ -n "$(whole get namespace "$namespace" --ignore-not-found --output name)" ] || return 0
  [ -z "$(whole get namespace "$namespace" --output 'jsonpath={.metadata.labels.taster\.dev/story}')" ] || return 0
  echo "the cluster of KUBECONFIG ($KUBECONFIG) has a namespace $namespace, and it is not of this story: it would be deleted" >&2
  echo "unset KUBECONFIG for a cluster of this machine's own, or label the namespace taster.dev/story=yes" >&2
  exit 4
}

wipe() { # an empty namespace, empty volumes
  refuse_a_stranger
  whole delete namespace "$namespace" --ignore-not-found --wait --timeout 180s --request-timeout 0 >/dev/null
  if [ -n "$volumes" ]; then
    whole delete persistentvolume pxbbq-mongo pxbbq-results --ignore-not-found >/dev/null
    find "$volumes/mongo" "$volumes/taster" -mindepth 1 -delete
    sed "s#/var/lib/taster-cluster/volumes#$volumes#" "$room/volumes.yaml" | whole create -f - >/dev/null
  fi
  whole create namespace "$namespace" >/dev/null
  whole label namespace "$namespace" taster.dev/story=yes >/dev/null
}

# What the Application stage-pxbbq-taster deploys, with changes to taster.yaml, and the Secret that is nobody's but the team's.
ground() { # [SED]
  local file
  for file in serviceaccount role results abandoned config; do
    sed "${1:-}" "$manifests/hooks/$file.yaml"
    echo ---
  done | k apply --server-side --field-manager argocd-controller -f - >/dev/null
  k create secret generic taster-mongodb --from-literal=uri="mongodb://mongo:27017/pxbbq" --dry-run=client -o yaml |
    k apply --server-side -f - >/dev/null
  # started by the story, when it is its turn
  k patch cronjob taster-abandoned --patch '{"spec": {"suspend": true}}' >/dev/null
}

# What the Application stage-pxbbq does in its Sync phase: everything of the overlay, the live replicas where there are any
# (RespectIgnoreDifferences), Git's where there are none.
sync() { # VERSION
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
  seen "synced: pxbbq-web $1, mongo at $mongo, pxbbq-web at $web"
}

replicas() { # what is asked for and what is there
  k get statefulset/mongo deployment/pxbbq-web \
    -o 'jsonpath={range .items[*]}{.metadata.name} {.spec.replicas}/{.status.replicas}, {end}' |
    sed -E 's#/,#/0,#g; s/, $//'
}

records() { # the notes of what was found, on the workloads
  k get statefulset/mongo deployment/pxbbq-web -o 'jsonpath={range .items[*]}{.metadata.annotations.taster\.dev/scaled}{end}'
}

holder() { k get lease taster-pxbbq -o 'jsonpath={.spec.holderIdentity}'; }

held() { [ -n "$(holder)" ]; }

put_back() {
  [[ "$(replicas)" =~ ^mongo\ 0/[0-9]+,\ pxbbq-web\ 0/[0-9]+$ ]] && [ -z "$(records)" ] && ! held
}

ended_all() { [ "$(replicas)" = "mongo 0/0, pxbbq-web 0/0" ]; }

is_back() { # SECONDS: scales as they were found, no note, the lock free; then the pods end in their own time
  local began ended
  began=$(now_ms)
  until_true "scales, notes and lock as before" "$1" put_back
  ended=$(now_ms)
  seen "back after $((ended - began)) ms: $(replicas), no note on the workloads, nobody has the lock"
  until_true "the pods of the shop end" 90 ended_all
}

# ---- hook Jobs

# Sets `unix`, one value for the hooks of one sync, never the same twice.
operation() {
  local last=${unix:-0}
  unix=$(date +%s)
  [ "$unix" -gt "$last" ] || unix=$((last + 1))
}

# Starts a hook with the name that Argo CD gives it: no revision, because stage has two sources. Sets `job`.
hook() { # FILE PHASE
  local prefix
  prefix=$(sed -n 's/^  generateName: //p' "$manifests/hooks/$1.yaml")
  job=$prefix-$2-$unix
  sed "s/^  generateName: .*/  name: $job/" "$manifests/hooks/$1.yaml" | k create -f - >/dev/null
}

condition() { # JOB: Complete, Failed, or nothing and no
  k get job "$1" -o 'jsonpath={range .status.conditions[?(@.status=="True")]}{.type}{"\n"}{end}' |
    grep -x -e Complete -e Failed
}

ends() { # JOB SECONDS EXPECTED: Complete or Failed
  until_true "$1 ends" "$2" condition "$1"
  local how message
  how=$(condition "$1")
  [ "$how" = "$3" ] || fail "$1 is $how, not $3: $(said "$1")"
  message=$(k get job "$1" -o "jsonpath={.status.conditions[?(@.type==\"$how\")].message}")
  seen "$1 is $how: $message"
  # whoever reads the log later need not find the pod
  k logs "job/$1" >"$work/$1.log" 2>&1 || true
}

pod_of() { # JOB: the last one, where there were several
  k get pods --selector "batch.kubernetes.io/job-name=$1" --sort-by .metadata.creationTimestamp -o name |
    tail -n 1 | sed 's#.*/##'
}

terminated() { # JOB FIELD of the container's end
  k get pod "$(pod_of "$1")" -o "jsonpath={.status.containerStatuses[0].state.terminated.$2}"
}

said() { terminated "$1" message; }

uid_of() { k get pod "$(pod_of "$1")" -o 'jsonpath={.metadata.uid}'; }

annotation() { # JOB NAME
  k get job "$1" -o "jsonpath={.metadata.annotations.taster\.dev/$2}"
}

scaled_up() { [ "$(k get statefulset mongo -o 'jsonpath={.spec.replicas}')" = 1 ] && [ -n "$(records)" ]; }

# As by the kernel when memory is short: no signal that the process could answer.
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

# ---- where it went wrong

tell() {
  set +e
  if ! whole get --raw /readyz >/dev/null 2>&1; then
    echo "---- the API server does not answer"
    return
  fi
  echo "---- what the cluster says"
  echo "replicas: $(replicas); notes: $(records); the lock: $(holder)"
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
