# shellcheck shell=bash
# Functions of gitops.sh, in addition to those of stage.sh: the repository, Argo CD's status, the bucket, the copy of the data,
# the webhook. `k` is kubectl in staging's namespace.

namespace=pxbbq-stage
production=pxbbq
repository=git://127.0.0.1:29418/shop.git
bucket=taster-results
key=STORYTELLER secret=of-the-story-and-nothing-else

a() { "$bin/kubectl" --namespace argocd --request-timeout 20s "$@"; }
p() { "$bin/kubectl" --namespace "$production" --request-timeout 20s "$@"; }
# a Service's address is reachable only in the cluster's network namespace
request() { nsenter --net=/run/netns/taster curl --silent --show-error --max-time 20 "$@"; }

# ---- the repository

git_() { git -C "$work/shop" -c user.name=shop -c user.email=shop@example.com -c commit.gpgSign=false "$@"; }

# Commits the folder manifests/ unchanged, and in a second commit the changes for one cluster instead of two.
make_repository() {
  local folder=$work/shop/manifests
  rm -rf "$state/git/shop.git"
  git init --quiet --bare --initial-branch main "$state/git/shop.git"
  git init --quiet --initial-branch main "$work/shop"
  mkdir -p "$folder"
  cp -r "$manifests"/{argocd,base,hooks-s3,overlays,portworx,serve} "$folder/"
  # used only by Applications with a single source
  rm -r "$folder"/{overlays/stage-one-source,argocd/stage-one-source.yaml}
  git_ add .
  git_ commit --quiet --message "manifests/ of taster, copied"

  sed -i "s#https://git.example.com/pxbbq/shop.git#$repository#" "$folder"/argocd/*.yaml
  # demo1 and demo2 are two addresses of this cluster, so staging needs its own namespace
  sed -i "s#{name: demo2, namespace: pxbbq}#{name: demo2, namespace: $namespace}#" "$folder"/argocd/*.yaml
  sed -i "s#^namespace: pxbbq#namespace: $namespace#" "$folder/overlays/stage/kustomization.yaml"
  sed -i "s#^    namespace: pxbbq#    namespace: $namespace#" "$folder/hooks-s3/role.yaml"
  # results in the bucket
  sed -i 's#path: manifests/hooks$#path: manifests/hooks-s3#' "$folder"/argocd/stage*.yaml
  # checks the age of the copy
  sed -i -E 's/^( +)# (freshness:|  - \{migrationSchedule)/\1\2/' "$folder/hooks-s3/config.yaml"
  # shortens the pause before the retry
  sed -i "s#duration: 30s, factor: 2#duration: 3s, factor: 1#" "$folder/argocd/stage.yaml"
  # the version of production
  sed -i "s#newTag: v4.3#newTag: v4.2#" "$folder/overlays/stage/kustomization.yaml"
  git_ diff --unified=0 | grep -E '^(\+\+\+|[-+][^-+])' | sed 's/^+++ b/   in /; s/^/   /'
  git_ commit --quiet --all --message "One cluster in place of two"
  git_ push --quiet "$state/git/shop.git" main main:pxbbq-stage
  git_ checkout --quiet -b pxbbq-stage
}

push() { # MESSAGE: commits all changes and pushes them to the branch of the next release
  git_ commit --quiet --all --message "$1"
  git_ push --quiet "$state/git/shop.git" pxbbq-stage
  pass "pushed to pxbbq-stage: $(git_ log -1 --format='%h %s')"
}

release() { # VERSION
  sed -i -E "s#(name: pxbbq-web, newTag: ).*\}#\1$1}#" "$work/shop/manifests/overlays/stage/kustomization.yaml"
  push "pxbbq-web $1"
}

# Changes taster.yaml, and waits until the Application stage-pxbbq-taster has applied it.
configure() { # MESSAGE SED...
  sed -i -E "${@:2}" "$work/shop/manifests/hooks-s3/config.yaml"
  push "$1"
  refresh_application stage-pxbbq-taster
  wait_until "stage-pxbbq-taster is at that commit" 60 application_is_at stage-pxbbq-taster "$(git_ rev-parse HEAD)"
}

merge_to_main() {
  local version
  version=$(sed -n 's/.*pxbbq-web, newTag: \(.*\)}/\1/p' "$work/shop/manifests/overlays/stage/kustomization.yaml")
  git_ checkout --quiet main
  git_ merge --quiet --no-ff --message "Release $version" pxbbq-stage
  sed -i -E "s#(name: pxbbq-web, newTag: ).*\}#\1$version}#" "$work/shop/manifests/overlays/prod/kustomization.yaml"
  git_ commit --quiet --all --message "Production gets $version"
  git_ push --quiet "$state/git/shop.git" main
  pass "merged into main: $(git_ log -1 --format='%h %s')"
  git_ checkout --quiet pxbbq-stage
}

# ---- Argo CD

application_field() { a get application "$1" -o "jsonpath={$2}"; } # APPLICATION PATH

refresh_application() { a annotate application "$1" argocd.argoproj.io/refresh=normal --overwrite >/dev/null; }

application_is_at() { # APPLICATION COMMIT
  [ "$(application_field "$1" .status.sync.status)" = Synced ] && [[ "$(application_field "$1" .status.sync.revision)$(application_field "$1" .status.sync.revisions)" == *"$2"* ]] &&
    [ "$(application_field "$1" .status.operationState.phase)" = Succeeded ]
}

cluster_secret() { # NAME ADDRESS
  local credentials
  credentials=$(k_cluster config view --raw --flatten -o \
    'jsonpath={"{\"tlsClientConfig\": {\"caData\": \""}{.clusters[0].cluster.certificate-authority-data}{"\", \"certData\": \""}{.users[0].user.client-certificate-data}{"\", \"keyData\": \""}{.users[0].user.client-key-data}{"\"}}"}')
  a create secret generic "cluster-$1" --from-literal=name="$1" --from-literal=server="$2" --from-literal=config="$credentials" \
    --dry-run=client -o yaml | a apply --server-side -f - >/dev/null
  a label secret "cluster-$1" argocd.argoproj.io/secret-type=cluster --overwrite >/dev/null
}

# Starts a sync of stage as Argo CD's API server does for `argocd app sync`: with the Application's own options and retry. Sets
# `unix`, the number in the names of its hooks.
start_sync() {
  local before now options retry
  refresh_application stage-pxbbq
  before=$(application_field stage-pxbbq .status.operationState.startedAt)
  options=$(application_field stage-pxbbq .spec.syncPolicy.syncOptions) retry=$(application_field stage-pxbbq .spec.syncPolicy.retry)
  a patch application stage-pxbbq --type merge --patch \
    "{\"operation\": {\"initiatedBy\": {\"username\": \"story\"}, \"sync\": {\"syncOptions\": $options}, \"retry\": ${1:-$retry}}}" >/dev/null
  began() {
    now=$(application_field stage-pxbbq .status.operationState.startedAt)
    [ -n "$now" ] && [ "$now" != "$before" ]
  }
  wait_until "the sync begins" 30 began
  unix=$(date --date "$now" +%s)
  pass "sync of $(git_ rev-parse --short HEAD) began: run $unix"
}
once='{"limit": 0}'

sync_has_finished() { [[ "$(application_field stage-pxbbq .status.operationState.phase)" =~ ^(Succeeded|Failed|Error)$ ]]; }

wait_for_sync() { # SECONDS PHASE
  wait_until "the sync of stage ends" "$1" sync_has_finished
  local phase
  phase=$(application_field stage-pxbbq .status.operationState.phase)
  [ "$phase" = "$2" ] || fail "the sync is $phase, not $2: $(application_field stage-pxbbq .status.operationState.message); $(hook_messages)"
  pass "the sync is $phase: $(application_field stage-pxbbq .status.operationState.message)"
}

# The messages of the hooks of the last attempt, as Argo CD shows them: one line each.
hook_messages() {
  application_field stage-pxbbq '.status.operationState.syncResult.resources' |
    python3 -c 'import json, sys
for r in json.load(sys.stdin):
    if r.get("hookType"): print(r["hookType"], r["name"], r.get("hookPhase"), r.get("message", ""))'
}
hook_message() { hook_messages | grep "^$1 "; } # PHASE OF THE SYNC

job_of() { # pre|post|syncfail: the hook of the latest sync
  case $1 in
    pre) echo "pre-taste--presync-$unix" ;;
    post) echo "post-taste--postsync-$unix" ;;
    syncfail) echo "syncfail-restore--syncfail-$unix" ;;
  esac
}

job_exists() { k get job "$1" >/dev/null 2>&1; }

hook_runs() { [ "$(k get pod "$(pod_of "$1")" -o 'jsonpath={.status.phase}' 2>/dev/null)" = Running ]; }

# Terminates the sync as `argocd app terminate-op` does. Whoever writes last wins: the controller may be about to write its own
# state and then goes on as if nobody had asked, so the request is repeated until it is seen to act on it.
terminate() {
  local message
  message=$(application_field stage-pxbbq .status.operationState.message)
  stops() {
    local phase
    phase=$(application_field stage-pxbbq .status.operationState.phase)
    case $phase in
      Running)
        a patch application stage-pxbbq --type json --patch '[
          {"op": "test", "path": "/status/operationState/phase", "value": "Running"},
          {"op": "replace", "path": "/status/operationState/phase", "value": "Terminating"}]'
        return 1
        ;;
      Terminating) return 1 ;;
    esac
  }
  wait_until "the sync is terminated" 60 stops
  pass "terminated while: ${message:-the hook runs}"
}

save_log() { # JOB: saves its log, which ends with the pod
  k logs "job/$1" --request-timeout 0 >"$work/$1.log" 2>&1 || true
}

# Checks the timing that a hook reports: at most two seconds are neither waiting nor MongoDB, unoptimised and on a busy machine.
check_timing() { # JOB...
  local job line rest found=0
  for job in "$@"; do
    save_log "$job"
    while read -r line; do
      found=$((found + 1))
      rest=$(grep -oE 'rest_ms=[0-9]+' <<<"$line")
      [ "${rest#*=}" -le 2000 ] || fail "$job: more than two seconds are neither waiting nor MongoDB: $line"
      pass "$job: ${line#*the }"
    done < <(grep -oE 'the (first probe began|capture was written|verdict was written) .*' "$work/$job.log" || true)
    pass "$job: its pod started $(pod_start_seconds "$job") s after the Job"
  done
  [ "$found" -gt 0 ] || fail "no hook reports its timing: $*"
}
pod_start_seconds() { # JOB
  local job began
  job=$(k get job "$1" -o 'jsonpath={.metadata.creationTimestamp}')
  began=$(k get pod "$(pod_of "$1")" -o 'jsonpath={.status.containerStatuses[0].state.terminated.startedAt}')
  echo $(($(date --date "$began" +%s) - $(date --date "$job" +%s)))
}

# ---- the bucket

store_is_up() { [ "$("$bin/kubectl" --namespace store get deployment s3 -o 'jsonpath={.status.readyReplicas}')" = 1 ]; }

make_store() {
  local image
  image=taster-s3:$(sed -n '/^name = "s3s-fs"$/{n;s/version = "\(.*\)"/\1/p}' "$manifests/../Cargo.lock")
  find "$volumes/s3" -mindepth 1 -delete
  install -d -o 65532 -g 65532 "$volumes/s3/$bucket"
  k_cluster apply --server-side -f - >/dev/null <<YAML
apiVersion: v1
kind: Namespace
metadata: {name: store}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: s3, namespace: store}
spec:
  replicas: 1
  selector: {matchLabels: {app: s3}}
  template:
    metadata: {labels: {app: s3}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      containers:
        - name: s3
          image: $image
          args: [--access-key, $key, --secret-key, $secret]
          readinessProbe: {tcpSocket: {port: 8014}, periodSeconds: 1}
          volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, hostPath: {path: $volumes/s3, type: Directory}}]
---
apiVersion: v1
kind: Service
metadata: {name: s3, namespace: store}
spec: {selector: {app: s3}, ports: [{port: 8014}]}
YAML
  wait_until "the bucket is ready" 60 store_is_up
}

# ---- the copy

# Does what Portworx does: replaces the files of staging's volume by a consistent copy of production's, and writes the status
# that Stork writes into the schedule.
copy_data() {
  local began ended
  equals "replicas of the database while its volume is replaced" "$(k get statefulset mongo -o 'jsonpath={.spec.replicas}')" 0
  wait_until "no pod uses the volume" 90 shop_is_stopped
  began=$(date -u +%FT%TZ)
  in_production 'shop.client.admin.command("fsync", lock=True)'
  find "$volumes/stage" -mindepth 1 -delete
  cp -a "$volumes/prod/." "$volumes/stage/"
  in_production 'shop.client.admin.command("fsyncUnlock")'
  rm -f "$volumes/stage/mongod.lock"
  ended=$(date -u +%FT%TZ)
  record_copy "$began" "$ended"
  pass "the copy of $ended: $(find "$volumes/stage" -type f | wc -l) files, $(du -sh "$volumes/stage" | cut -f 1)"
}

record_copy() { # BEGAN ENDED
  k_cluster --namespace portworx patch migrationschedule pxbbq --type merge --patch "{\"status\": {\"items\": {\"Interval\": [
    {\"name\": \"pxbbq-interval-$(date --date "$2" +%s)\", \"creationTimestamp\": \"$1\", \"finishTimestamp\": \"$2\", \"status\": \"Successful\"}]}}}" >/dev/null
}

in_production() { # PYTHON
  p exec deployment/pxbbq-web -- python3 -c "
import datetime, os, pymongo
shop = pymongo.MongoClient(os.environ['MONGO_URI']).get_default_database()
$1"
}

# ---- the webhook and the pages

serve_is_ready() { [ "$(k get deployment taster-serve -o 'jsonpath={.status.readyReplicas}')" = 1 ]; }
serve_url() { echo "http://$(k get service taster-serve -o 'jsonpath={.spec.clusterIP}')"; }

check_webhook() { # RUN STATUS: expects this status of the webhook
  local answer status
  answer=$(request --header "Authorization: Bearer $token" --write-out '\n%{http_code}' "$(serve_url)/compare?app=pxbbq&run=$1")
  status=${answer##*$'\n'}
  [ "$status" = "$2" ] || fail "the webhook returns $status, not $2: ${answer%$'\n'*}"
  pass "GET /compare?run=$1: $status $(head -n 1 <<<"${answer%$'\n'*}" | cut -c 1-100)"
}

check_page() { # RUN TEXT...: expects these texts on the page of a run
  local html text
  html=$(request --fail --user "any:$token" "$(serve_url)/apps/pxbbq/runs/$1")
  for text in "${@:2}"; do
    grep -qF "$text" <<<"$html" || fail "the page of run $1 does not contain «$text»"
  done
  pass "the page of run $1 ($(wc -c <<<"$html") bytes) contains: ${*:2}"
}

verdict() { # RUN: prints its verdict.json
  request --fail --header "Authorization: Bearer $token" "$(serve_url)/v1/apps/pxbbq/runs/$1/verdict"
}

has_verdict() { # RUN VERDICT
  [ "$(verdict "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["verdict"])')" = "$2" ]
}

# The number of collections in staging that do not belong to the shop, at the end of the last run.
foreign_collections() {
  local capture
  capture=$(ls -t "$volumes/s3/$bucket/stage/v1/pxbbq/$unix"/post/*/capture.json | head -n 1)
  python3 -c 'import json, sys
print(len({c["name"] for c in json.load(open(sys.argv[1]))["collections"]} - {"orders", "registrations"}))' "$capture"
}

# ---- diagnostics

dump_argocd() {
  set +e
  echo "---- state of Argo CD"
  a get applications
  application_field stage-pxbbq .status.conditions
  application_field stage-pxbbq .status.operationState.message
  hook_messages
  tail -n 3 "$state"/log/argocd-application-controller.log | cut -c 1-400
} >&2
