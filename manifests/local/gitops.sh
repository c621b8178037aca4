#!/usr/bin/env bash
# End-to-end test under a real Argo CD on a real cluster: production and staging from manifests/argocd, results in a bucket, the
# data copied as Portworx does, upgrades that keep the data, upgrades that lose orders, and failures in between. It checks what
# people see: Argo CD's status, the cluster, the bucket, the webhook, the page.
#
#   gitops.sh [IMAGE.tar]     the archive of taster:dev from `make image`; omit it if the node has the image
#
# It starts and uses the cluster of this machine (cluster.sh, argocd.sh). `make story` does all of it.
# KEEP=FOLDER keeps the report, the verdict and the log of the upgrade that loses orders.
# Prints one line per check; exits with 1 at the first failed check, after printing the state of the cluster.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
manifests=$(dirname "$here")
# shellcheck source=story/stage.sh
source "$here/story/stage.sh"
# shellcheck source=story/gitops.sh
source "$here/story/gitops.sh"

bin=$("$here/build.sh" kubernetes | tail -n 1)
state=${TASTER_CLUSTER_STATE:-/var/lib/taster-cluster}
KUBECONFIG=$(ARGOCD=1 "$here/cluster.sh" up)
export KUBECONFIG
volumes=$state/volumes
[ $# -eq 0 ] || "$here/cluster.sh" load "$1"

work=$(mktemp -d)
scene="set-up"
on_exit() {
  local code=$?
  [ "$code" -eq 0 ] || { dump_argocd; dump_cluster; }
  rm -rf "$work"
  exit "$code"
}
trap on_exit EXIT
SECONDS=0

scene "an empty cluster"
production=pxbbq stage=pxbbq-stage
a delete applications --all --wait=false >/dev/null
for application in $(a get applications -o name); do
  a patch "$application" --type merge --patch '{"metadata": {"finalizers": null}}' >/dev/null 2>&1 || true
done
k_cluster delete namespace "$production" "$stage" store portworx --ignore-not-found --wait --timeout 180s --request-timeout 0 >/dev/null
k_cluster delete persistentvolume pxbbq-mongo pxbbq-results prod-mongo stage-mongo --ignore-not-found >/dev/null
find "$volumes"/{prod,stage} -mindepth 1 -delete
for side in prod stage; do
  claimant=$production
  [ "$side" = prod ] || claimant=$stage
  k_cluster create -f - >/dev/null <<YAML
apiVersion: v1
kind: PersistentVolume
metadata: {name: $side-mongo}
spec:
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  claimRef: {namespace: $claimant, name: mongo-data-dir-mongo-0}
  hostPath: {path: $volumes/$side, type: Directory}
YAML
done
make_store
pass "a bucket at http://s3.store:8014, one user"
pass "manifests/ are committed to $repository, with these changes for one cluster:"
make_repository

scene "Argo CD's clusters and Applications"
cluster_secret demo1 https://10.213.0.2:6443
cluster_secret demo2 https://10.96.0.1:443
a apply -f "$work/shop/manifests/argocd/project.yaml" >/dev/null
for application in prod stage-taster stage; do
  a apply -f "$work/shop/manifests/argocd/$application.yaml" >/dev/null
done
configuration_exists() { k get configmap/taster serviceaccount/taster role/taster; }
wait_until "stage-pxbbq-taster has created account, rights and configuration" 90 configuration_exists
k create secret generic taster-mongodb --from-literal=uri=mongodb://mongo:27017/pxbbq >/dev/null
k create secret generic taster-s3 --from-literal=AWS_ACCESS_KEY_ID="$key" --from-literal=AWS_SECRET_ACCESS_KEY="$secret" \
  --from-literal=AWS_REGION=eu-central-1 --from-literal=AWS_ENDPOINT_URL_S3=http://s3.store:8014 >/dev/null
wait_until "the CronJob exists" 60 k get cronjob taster-abandoned
pass "stage-pxbbq-taster: $(application_field stage-pxbbq-taster .status.operationState.message)"

# production's cluster has Stork, and an account that can read the schedule
k_cluster create namespace portworx >/dev/null
k_cluster apply --server-side -f "$here/crds/stork.yaml" -f "$here/crds/schedule-policy.yaml" >/dev/null
k_cluster wait --for condition=Established crd/migrationschedules.stork.libopenstorage.org crd/schedulepolicies.stork.libopenstorage.org --timeout 30s >/dev/null
k_cluster apply -f "$work/shop/manifests/portworx/schedule.yaml" -f "$work/shop/manifests/portworx/reader.yaml" >/dev/null
reader=$(k_cluster --namespace portworx create token taster-fresh --duration 12h)
k_cluster config view --raw --flatten -o json | python3 -c 'import json, sys
config = json.load(sys.stdin)
config["clusters"][0]["cluster"]["server"] = "https://10.213.0.2:6443"
config["users"] = [{"name": config["users"][0]["name"], "user": {"token": sys.argv[1]}}]
print(json.dumps(config))' "$reader" >"$work/demo1"
k create secret generic taster-demo1 --from-file=kubeconfig="$work/demo1" >/dev/null
pass "a kubeconfig of production's account taster-fresh, in the Secret taster-demo1"

# the webhook and the pages
token=$(openssl rand -hex 32)
k create secret generic taster-tokens --from-literal=tokens="$token" >/dev/null
k apply -f "$work/shop/manifests/serve/serve.yaml" >/dev/null
wait_until "taster serve is ready" 90 serve_is_ready
pass "taster serve is ready at $(serve_url)"

scene "production syncs automatically"
production_is_at() { [ "$(application_field prod-pxbbq .status.sync.status) $(application_field prod-pxbbq .status.health.status)" = "Synced Healthy" ] &&
  [[ "$(p get deployment pxbbq-web -o 'jsonpath={.spec.template.spec.containers[0].image} {.status.readyReplicas}')" = "pxbbq-web:$1 3" ]]; }
wait_until "prod-pxbbq is Synced and Healthy" 180 production_is_at v4.2
p run seed --image pxbbq-web:v4.2 --restart Never -- seed >/dev/null
p wait pod/seed --for 'jsonpath={.status.phase}=Succeeded' --timeout 60s --request-timeout 0 >/dev/null
pass "prod-pxbbq: v4.2, $(p logs seed)"
p delete pod seed --wait=false >/dev/null

scene "the first sync of stage, into an empty namespace"
start_sync
wait_for_sync 180 Succeeded
contains "termination message of pre" "$(termination_message "$(job_of pre)")" "nothing to taste yet"
contains "termination message of post" "$(termination_message "$(job_of post)")" "nothing to taste yet"
equals "replicas" "$(replicas)" "mongo 0/0, pxbbq-web 0/0"

scene "a clean upgrade"
copy_data
release v4.3
start_sync
wait_for_sync 300 Succeeded
contains "Argo CD's message of the post hook" "$(hook_message PostSync)" "same"
check_webhook "$unix" 200
check_page "$unix" "same" "v4.2" "v4.3"
wait_restored 30
check_timing "$(job_of pre)" "$(job_of post)"

scene "an upgrade that loses orders"
copy_data
release v4.3-lossy
# the orders that it will lose, read from production
# shellcheck disable=SC2016 # the dollars belong to MongoDB's query
in_production '
d = datetime.datetime(2026, 1, 8)
for order in shop.orders.find({"status": "open", "created": {"$gte": d, "$lt": d + datetime.timedelta(days=1)}}, {"_id": 1}): print(order["_id"])' >"$work/lost"
lost=$(wc -l <"$work/lost")
[ "$lost" -gt 0 ] || fail "the upgrade has nothing to lose"
start_sync
# Argo CD retries once, on data that the first attempt has damaged
wait_until "the first attempt fails" 240 has_verdict "$unix" different
first=$(k get job "$(job_of post)" -o 'jsonpath={.metadata.uid}')
check_webhook "$unix" 404
post_is_retried() { [ "$(k get job "$(job_of post)" -o 'jsonpath={.metadata.uid}')" != "$first" ]; }
wait_until "Argo CD's retry reaches the post hook" 240 post_is_retried
wait_for_sync 240 Failed
contains "Argo CD's message of the sync" "$(application_field stage-pxbbq .status.operationState.message)" "retried 1 times"
message=$(hook_message PostSync)
contains "the first message in Argo CD" "$message" "exit code 1" "$lost missing"
named=$(grep -oFf "$work/lost" <<<"$message" | sort -u | wc -l)
[ "$named" -gt 0 ] || fail "no lost order is named in it"
pass "$named of the $lost lost orders are named in it"
equals "orders named in it that were not lost" "$(grep -oE '6592[0-9a-f]{20}' <<<"$message" | grep -vcFf "$work/lost" || true)" 0
check_webhook "$unix" 404
check_page "$unix" "different" "$lost missing" "$(head -n 1 "$work/lost")"
wait_restored 30
check_timing "$(job_of pre)" "$(job_of post)"
if [ -n "${KEEP:-}" ]; then
  mkdir -p "$KEEP"
  request --fail --user "any:$token" "$(serve_url)/apps/pxbbq/runs/$unix/report.html" >"$KEEP/report.html"
  verdict "$unix" >"$KEEP/verdict.json"
  cp "$work/$(job_of post).log" "$KEEP/post.log"
  cp "$work/$(job_of pre).log" "$KEEP/pre.log"
  hook_messages >"$KEEP/argocd.txt"
  # with colours, as on a terminal
  COLUMNS=100 script --quiet --return --command \
    "stty cols 100; '$manifests/../target/debug/taster' show '$unix' --store 'file://$volumes/s3/$bucket/stage'" /dev/null >"$KEEP/terminal.ansi" || true
fi

scene "a new sync of the same release: the baseline is from before the damage"
start_sync "$once"
wait_for_sync 240 Failed
contains "Argo CD's message of the post hook" "$(hook_message PostSync)" "$lost missing"
check_webhook "$unix" 404
wait_restored 30
check_timing "$(job_of pre)" "$(job_of post)"

scene "a new copy and the repaired upgrade"
copy_data
release v4.3
start_sync
wait_for_sync 300 Succeeded
contains "Argo CD's message of the post hook" "$(hook_message PostSync)" "same"
save_log "$(job_of pre)"
contains "the version that lost orders is not started on the new copy" "$(grep 'stays as it is' "$work/$(job_of pre).log" || true)" "images=pxbbq-web:v4.3-lossy"
check_webhook "$unix" 200
wait_restored 30
check_timing "$(job_of pre)" "$(job_of post)"
merge_to_main
refresh_application prod-pxbbq
wait_until "prod-pxbbq is Synced and Healthy" 180 production_is_at v4.3
equals "orders and registrations in production" "$(in_production 'print(shop.orders.count_documents({}), shop.registrations.count_documents({}))')" "2000 500"

scene "a sync that is terminated before PostSync, then a new one"
copy_data
# it loses the orders and never becomes ready: nothing listens on that port
sed -i 's#port: http}$#port: 8081}#' "$work/shop/manifests/base/web.yaml"
release v4.3-lossy
start_sync
has_lost_orders() { k logs --selector app.kubernetes.io/name=pxbbq-web --tail -1 | grep -F "archived $lost orders"; }
wait_until "the new version has lost orders" 180 has_lost_orders
argocd_waits() { [[ "$(application_field stage-pxbbq .status.operationState.message)" == *"waiting for healthy state of apps/Deployment/pxbbq-web"* ]]; }
wait_until "Argo CD waits for it" 60 argocd_waits
terminate
wait_for_sync 60 Failed
! job_exists "$(job_of post)" || fail "there was a post hook"
dead=$unix
sed -i 's#port: 8081}$#port: http}#' "$work/shop/manifests/base/web.yaml"
push "It becomes ready, and nothing else is fixed"
start_sync "$once"
wait_for_sync 300 Failed
contains "Argo CD's message of the post hook" "$(hook_message PostSync)" "different" "$lost missing"
save_log "$(job_of pre)"
contains "the run of the baseline" "$(grep -F "$dead" "$work/$(job_of pre).log" | head -n 1)" "run $dead" "neither passed"
check_webhook "$unix" 404
check_webhook "$dead" 409
wait_restored 30
check_timing "$(job_of pre)" "$(job_of post)"

scene "a declared change"
copy_data
configure "v4.4 adds the archive flag" \
  's|^    report:|    changes:\n      - {collection: orders, addedField: archived, type: bool, reason: "v4.4 adds the archive flag"}\n    report:|'
release v4.4
start_sync
wait_for_sync 300 Succeeded
contains "Argo CD's message of the post hook" "$(hook_message PostSync)" "same" "as expected"
contains "the findings" "$(verdict "$unix" | python3 -c 'import json, sys
print([f["reason"] for f in json.load(sys.stdin)["findings"] if f["outcome"] == "expected"])')" "as declared: \`archived\`"
check_webhook "$unix" 200
check_page "$unix" "v4.4 adds the archive flag"
wait_restored 30
check_timing "$(job_of pre)" "$(job_of post)"
# once production has the change, its copies have it, and it need not be declared any more
merge_to_main
refresh_application prod-pxbbq
wait_until "prod-pxbbq is Synced and Healthy" 180 production_is_at v4.4
configure "production has v4.4" '/^    changes:$/d; /addedField: archived/d'

scene "a copy that is an hour old"
record_copy "$(date -u --date '61 minutes ago' +%FT%TZ)" "$(date -u --date '60 minutes ago' +%FT%TZ)"
start_sync "$once"
wait_for_sync 120 Failed
contains "Argo CD's message of the pre hook" "$(hook_message PreSync)" "exit code 4" "maxAge is 30m"
equals "exit code" "$(terminated "$(job_of pre)" exitCode)" 4
contains "termination message" "$(termination_message "$(job_of pre)")" "portworx/pxbbq"
equals "nothing was scaled" "$(k get events --field-selector reason=ScaledUp -o json | python3 -c 'import json, sys
print(len([e for e in json.load(sys.stdin)["items"] if sys.argv[1] in e.get("note", e.get("message", ""))]))' "$unix")" 0
equals "replicas" "$(replicas)" "mongo 0/0, pxbbq-web 0/0"

scene "a sync that is terminated during PreSync"
copy_data
start_sync
wait_until "mongo is scaled up" 120 scaled_up
terminate
wait_for_sync 60 Failed
wait_restored 10

scene "a sync that is terminated during PostSync"
start_sync
wait_until "the post hook runs" 300 hook_runs "$(job_of post)"
terminate
wait_for_sync 60 Failed
wait_restored 10

scene "a sync during a sync"
start_sync
running=$unix
wait_until "mongo is scaled up" 120 scaled_up
a patch application stage-pxbbq --type merge --patch '{"operation": {"initiatedBy": {"username": "another"}, "sync": {}}}' >/dev/null
wait_for_sync 300 Succeeded
equals "the sync is still the first one" "$(date --date "$(application_field stage-pxbbq .status.operationState.startedAt)" +%s)" "$running"
contains "Argo CD's message of the post hook" "$(hook_message PostSync)" "same"
check_webhook "$running" 200
wait_restored 30
check_timing "$(job_of pre)" "$(job_of post)"

scene "the pod of a hook is killed"
start_sync
wait_until "mongo is scaled up" 120 scaled_up
killed=$(k get job "$(job_of pre)" -o 'jsonpath={.metadata.uid}')
kill_hook "$(job_of pre)"
pre_job_is_replaced() { uid=$(k get job "$(job_of pre)" -o 'jsonpath={.metadata.uid}') && [ "$uid" != "$killed" ]; }
wait_until "SyncFail restores, and Argo CD tries again" 120 pre_job_is_replaced
contains "termination message of syncfail" "$(termination_message "$(job_of syncfail)")" "mongo 1→0"
wait_for_sync 300 Succeeded
contains "Argo CD's message of the post hook" "$(hook_message PostSync)" "same"
check_webhook "$unix" 200
wait_restored 30
check_timing "$(job_of pre)" "$(job_of post)"

scene "third-party probes: the team's own, and a malicious one"
probes=$manifests/../target/probes
k create configmap taster-probes --from-file="$probes/shop-menu.wasm" --from-file=third-party.wasm="$probes/evil.wasm" >/dev/null
configure "Add the team's own probe and a third-party one" 's|^    report:|      - {name: menu, component: /etc/taster-probes/shop-menu.wasm, collections: [orders]}\
      - name: offered\
        component: /etc/taster-probes/third-party.wasm\
        collections: [orders]\
        severity: warn\
        config: {attack: out}\
    report:|'
start_sync
wait_for_sync 300 Succeeded
contains "Argo CD's message of the post hook" "$(hook_message PostSync)" "same"
contains "outcomes of the probes" "$(verdict "$unix" | python3 -c 'import json, sys
findings = json.load(sys.stdin)["findings"]
for probe in "menu", "offered":
    print(probe, sorted({f["outcome"] for f in findings if f.get("probe") == probe}), end=" ")')" "menu ['same']" "offered ['unknown']"
equals "new collections in staging" "$(foreign_collections)" 0
check_webhook "$unix" 200
check_page "$unix" "offered" "menu"
wait_restored 30
check_timing "$(job_of pre)" "$(job_of post)"

scene "final state"
equals "replicas" "$(replicas)" "mongo 0/0, pxbbq-web 0/0"
equals "production" "$(p get deployment,statefulset -o 'jsonpath={range .items[*]}{.metadata.name} {.status.readyReplicas}, {end}')" "pxbbq-web 3, mongo 1, "
pass "runs in the bucket: $(request --fail --header "Authorization: Bearer $token" "$(serve_url)/v1/apps/pxbbq/runs" | python3 -c 'import json, sys
runs = json.load(sys.stdin)["runs"]
print(", ".join("%s %s" % (run["run"], run.get("verdict")) for run in runs))')"
pass "Jobs: $(k get jobs -o name | wc -l), kept for a day with their logs"

printf '\nall checks passed under Argo CD (%ss)\n' "$SECONDS"
