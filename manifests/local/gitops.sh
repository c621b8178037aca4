#!/usr/bin/env bash
# The whole story, under a real Argo CD on a real cluster: production and stage from manifests/argocd, results in a bucket,
# the data copied as Portworx does it, upgrades that keep the data and upgrades that lose orders, and whatever may go wrong
# between. What is asserted is what people look at: Argo CD's own status, the cluster, the bucket, the webhook, the page.
#
#   gitops.sh [IMAGE.tar]     the archive of taster:dev, made by `make image`; without it the node has the image already
#
# It plays on the cluster of this machine (cluster.sh, argocd.sh), which is started. `make story` does all of it.
# KEEP=FOLDER keeps the report, the verdict and the log of the upgrade that loses orders.
# Says what it saw, one line each; ends with 1 at the first thing that is not as it should be, and tells what the cluster says.
set -euo pipefail
room=$(cd "$(dirname "$0")" && pwd)
manifests=$(dirname "$room")
# shellcheck source=story/stage.sh
source "$room/story/stage.sh"
# shellcheck source=story/gitops.sh
source "$room/story/gitops.sh"

bin=$("$room/build.sh" kubernetes | tail -n 1)
state=${TASTER_CLUSTER_STATE:-/var/lib/taster-cluster}
KUBECONFIG=$(ARGOCD=1 "$room/cluster.sh" up)
export KUBECONFIG
volumes=$state/volumes
[ $# -eq 0 ] || "$room/cluster.sh" load "$1"

work=$(mktemp -d)
scene="set-up"
ended() {
  local code=$?
  [ "$code" -eq 0 ] || { tell_argocd; tell; }
  rm -rf "$work"
  exit "$code"
}
trap ended EXIT
SECONDS=0

scene "an empty cluster"
production=pxbbq stage=pxbbq-stage
a delete applications --all --wait=false >/dev/null
for application in $(a get applications -o name); do
  a patch "$application" --type merge --patch '{"metadata": {"finalizers": null}}' >/dev/null 2>&1 || true
done
whole delete namespace "$production" "$stage" store portworx --ignore-not-found --wait --timeout 180s --request-timeout 0 >/dev/null
whole delete persistentvolume pxbbq-mongo pxbbq-results prod-mongo stage-mongo --ignore-not-found >/dev/null
find "$volumes"/{prod,stage} -mindepth 1 -delete
for side in prod stage; do
  claimant=$production
  [ "$side" = prod ] || claimant=$stage
  whole create -f - >/dev/null <<YAML
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
seen "a bucket at http://s3.store:8014, one user"
seen "manifests/ go into $repository, with these changes for one cluster:"
make_repository

scene "Argo CD gets its clusters and Applications"
cluster_secret demo1 https://10.213.0.2:6443
cluster_secret demo2 https://10.96.0.1:443
a apply -f "$work/shop/manifests/argocd/project.yaml" >/dev/null
for application in prod stage-taster stage; do
  a apply -f "$work/shop/manifests/argocd/$application.yaml" >/dev/null
done
ground_is_there() { k get configmap/taster serviceaccount/taster role/taster; }
until_true "stage-pxbbq-taster brings account, rights and configuration" 90 ground_is_there
k create secret generic taster-mongodb --from-literal=uri=mongodb://mongo:27017/pxbbq >/dev/null
k create secret generic taster-s3 --from-literal=AWS_ACCESS_KEY_ID="$key" --from-literal=AWS_SECRET_ACCESS_KEY="$secret" \
  --from-literal=AWS_REGION=eu-central-1 --from-literal=AWS_ENDPOINT_URL_S3=http://s3.store:8014 >/dev/null
# started by the story, when it is its turn
until_true "the CronJob is there" 60 k get cronjob taster-abandoned
seen "stage-pxbbq-taster: $(of stage-pxbbq-taster .status.operationState.message)"

# production's cluster has Stork, and an account that may ask how old the copy is
whole create namespace portworx >/dev/null
whole apply --server-side -f "$room/crds/stork.yaml" -f "$room/crds/schedule-policy.yaml" >/dev/null
whole wait --for condition=Established crd/migrationschedules.stork.libopenstorage.org crd/schedulepolicies.stork.libopenstorage.org --timeout 30s >/dev/null
whole apply -f "$work/shop/manifests/portworx/schedule.yaml" -f "$work/shop/manifests/portworx/reader.yaml" >/dev/null
reader=$(whole --namespace portworx create token taster-fresh --duration 12h)
whole config view --raw --flatten -o json | python3 -c 'import json, sys
config = json.load(sys.stdin)
config["clusters"][0]["cluster"]["server"] = "https://10.213.0.2:6443"
config["users"] = [{"name": config["users"][0]["name"], "user": {"token": sys.argv[1]}}]
print(json.dumps(config))' "$reader" >"$work/demo1"
k create secret generic taster-demo1 --from-file=kubeconfig="$work/demo1" >/dev/null
seen "a kubeconfig of production's account taster-fresh, in the Secret taster-demo1"

# the webhook and the pages
token=$(openssl rand -hex 32)
k create secret generic taster-tokens --from-literal=tokens="$token" >/dev/null
k apply -f "$work/shop/manifests/serve/serve.yaml" >/dev/null
until_true "taster serve is ready" 90 served
seen "taster serve is ready at $(serving)"

scene "production syncs by itself"
production_is_at() { [ "$(of prod-pxbbq .status.sync.status) $(of prod-pxbbq .status.health.status)" = "Synced Healthy" ] &&
  [[ "$(p get deployment pxbbq-web -o 'jsonpath={.spec.template.spec.containers[0].image} {.status.readyReplicas}')" = "pxbbq-web:$1 3" ]]; }
until_true "prod-pxbbq is Synced and Healthy" 180 production_is_at v4.2
p run seed --image pxbbq-web:v4.2 --restart Never -- seed >/dev/null
p wait pod/seed --for 'jsonpath={.status.phase}=Succeeded' --timeout 60s --request-timeout 0 >/dev/null
seen "prod-pxbbq: v4.2, $(p logs seed)"
p delete pod seed --wait=false >/dev/null

scene "the first sync of stage, into an empty namespace"
start_sync
finishes 180 Succeeded
holds "the pre hook" "$(said "$(job_of pre)")" "nothing to taste yet"
holds "the post hook" "$(said "$(job_of post)")" "nothing to taste yet"
equal "replicas" "$(replicas)" "mongo 0/0, pxbbq-web 0/0"

scene "a clean upgrade"
copy_data
release v4.3
start_sync
finishes 300 Succeeded
holds "Argo CD of the post hook" "$(hook_says PostSync)" "same"
webhook "$unix" 200
page "$unix" "same" "v4.2" "v4.3"
is_back 30
paced "$(job_of pre)" "$(job_of post)"

scene "an upgrade that loses orders"
copy_data
release v4.3-lossy
# which ones it will lose, asked of production
# shellcheck disable=SC2016 # the dollars are MongoDB's
in_production '
d = datetime.datetime(2026, 1, 8)
for order in shop.orders.find({"status": "open", "created": {"$gte": d, "$lt": d + datetime.timedelta(days=1)}}, {"_id": 1}): print(order["_id"])' >"$work/lost"
lost=$(wc -l <"$work/lost")
[ "$lost" -gt 0 ] || fail "the upgrade has nothing to lose"
start_sync
# Argo CD tries it once more, on data that the first attempt has damaged
until_true "the first attempt fails" 240 has_verdict "$unix" different
first=$(k get job "$(job_of post)" -o 'jsonpath={.metadata.uid}')
webhook "$unix" 404
again() { [ "$(k get job "$(job_of post)" -o 'jsonpath={.metadata.uid}')" != "$first" ]; }
until_true "Argo CD's own retry comes as far as the post hook" 240 again
finishes 240 Failed
holds "Argo CD of the sync" "$(of stage-pxbbq .status.operationState.message)" "retried 1 times"
message=$(hook_says PostSync)
holds "what a person sees first in Argo CD" "$message" "exit code 1" "$lost missing"
named=$(grep -oFf "$work/lost" <<<"$message" | sort -u | wc -l)
[ "$named" -gt 0 ] || fail "no lost order is named in it"
seen "$named of the $lost lost orders are named in it"
equal "orders named in it that were not lost" "$(grep -oE '6592[0-9a-f]{20}' <<<"$message" | grep -vcFf "$work/lost" || true)" 0
webhook "$unix" 404
page "$unix" "different" "$lost missing" "$(head -n 1 "$work/lost")"
is_back 30
paced "$(job_of pre)" "$(job_of post)"
if [ -n "${KEEP:-}" ]; then
  mkdir -p "$KEEP"
  ask --fail --user "any:$token" "$(serving)/apps/pxbbq/runs/$unix/report.html" >"$KEEP/report.html"
  verdict "$unix" >"$KEEP/verdict.json"
  cp "$work/$(job_of post).log" "$KEEP/post.log"
  cp "$work/$(job_of pre).log" "$KEEP/pre.log"
  hooks_say >"$KEEP/argocd.txt"
  # as on a terminal, where there are colours
  COLUMNS=100 script --quiet --return --command \
    "stty cols 100; '$manifests/../target/debug/taster' show '$unix' --store 'file://$volumes/s3/$bucket/stage'" /dev/null >"$KEEP/terminal.ansi" || true
fi

scene "a new sync of the same release: damage is not compared with damage"
start_sync "$once"
finishes 240 Failed
holds "Argo CD of the post hook" "$(hook_says PostSync)" "$lost missing"
webhook "$unix" 404
is_back 30
paced "$(job_of pre)" "$(job_of post)"

scene "a fresh copy and the repaired upgrade"
copy_data
release v4.3
start_sync
finishes 300 Succeeded
holds "Argo CD of the post hook" "$(hook_says PostSync)" "same"
logged "$(job_of pre)"
holds "the version that lost orders does not get at the fresh copy" "$(grep 'stays as it is' "$work/$(job_of pre).log" || true)" "pxbbq-web:v4.3-lossy has not passed"
webhook "$unix" 200
is_back 30
paced "$(job_of pre)" "$(job_of post)"
merge_to_main
look_at prod-pxbbq
until_true "prod-pxbbq is Synced and Healthy" 180 production_is_at v4.3
equal "orders and registrations in production" "$(in_production 'print(shop.orders.count_documents({}), shop.registrations.count_documents({}))')" "2000 500"

scene "a sync that dies before PostSync, then a new one"
copy_data
# it loses the orders and never gets ready: nobody answers at that port
sed -i 's#port: http}$#port: 8081}#' "$work/shop/manifests/base/web.yaml"
release v4.3-lossy
start_sync
dies() { k logs --selector app.kubernetes.io/name=pxbbq-web --tail -1 | grep -F "archived $lost orders"; }
until_true "the new version has lost orders" 180 dies
waits() { [[ "$(of stage-pxbbq .status.operationState.message)" == *"waiting for healthy state of apps/Deployment/pxbbq-web"* ]]; }
until_true "Argo CD waits for it" 60 waits
terminate
finishes 60 Failed
! there "$(job_of post)" || fail "there was a post hook"
dead=$unix
sed -i 's#port: 8081}$#port: http}#' "$work/shop/manifests/base/web.yaml"
push "It gets ready, and nothing else is mended"
start_sync "$once"
finishes 300 Failed
holds "Argo CD of the post hook" "$(hook_says PostSync)" "different" "$lost missing"
logged "$(job_of pre)"
holds "whose baseline it is" "$(grep -F "$dead" "$work/$(job_of pre).log" | head -n 1)" "run $dead" "neither passed"
webhook "$unix" 404
webhook "$dead" 409
is_back 30
paced "$(job_of pre)" "$(job_of post)"

scene "a declared change"
copy_data
configure "v4.4 adds the archive flag" \
  's|^    report:|    changes:\n      - {collection: orders, addedField: archived, type: bool, reason: "v4.4 adds the archive flag"}\n    report:|'
release v4.4
start_sync
finishes 300 Succeeded
holds "Argo CD of the post hook" "$(hook_says PostSync)" "same" "as expected"
holds "the findings" "$(verdict "$unix" | python3 -c 'import json, sys
print([f["reason"] for f in json.load(sys.stdin)["findings"] if f["outcome"] == "expected"])')" "as declared: \`archived\`"
webhook "$unix" 200
page "$unix" "v4.4 adds the archive flag"
is_back 30
paced "$(job_of pre)" "$(job_of post)"
# once production has it, so have its copies, and nothing is to be declared any more
merge_to_main
look_at prod-pxbbq
until_true "prod-pxbbq is Synced and Healthy" 180 production_is_at v4.4
configure "production has v4.4" '/^    changes:$/d; /addedField: archived/d'

scene "a copy that is an hour old"
copied "$(date -u --date '61 minutes ago' +%FT%TZ)" "$(date -u --date '60 minutes ago' +%FT%TZ)"
start_sync "$once"
finishes 120 Failed
holds "Argo CD of the pre hook" "$(hook_says PreSync)" "exit code 4" "maxAge is 30m"
equal "exit code" "$(terminated "$(job_of pre)" exitCode)" 4
holds "termination message" "$(said "$(job_of pre)")" "portworx/pxbbq"
equal "nothing was scaled" "$(k get events --field-selector reason=ScaledUp -o json | python3 -c 'import json, sys
print(len([e for e in json.load(sys.stdin)["items"] if sys.argv[1] in e.get("note", e.get("message", ""))]))' "$unix")" 0
equal "replicas" "$(replicas)" "mongo 0/0, pxbbq-web 0/0"

scene "terminated in the middle of PreSync"
copy_data
start_sync
until_true "mongo is scaled up" 120 scaled_up
terminate
finishes 60 Failed
is_back 10

scene "terminated in the middle of PostSync"
start_sync
until_true "the post hook runs" 300 hook_runs "$(job_of post)"
terminate
finishes 60 Failed
is_back 10

scene "a sync during a sync"
start_sync
running=$unix
until_true "mongo is scaled up" 120 scaled_up
a patch application stage-pxbbq --type merge --patch '{"operation": {"initiatedBy": {"username": "another"}, "sync": {}}}' >/dev/null
finishes 300 Succeeded
equal "the sync is still the first one" "$(date --date "$(of stage-pxbbq .status.operationState.startedAt)" +%s)" "$running"
holds "Argo CD of the post hook" "$(hook_says PostSync)" "same"
webhook "$running" 200
is_back 30
paced "$(job_of pre)" "$(job_of post)"

scene "the pod of a hook is killed"
start_sync
until_true "mongo is scaled up" 120 scaled_up
killed=$(k get job "$(job_of pre)" -o 'jsonpath={.metadata.uid}')
kill_hook "$(job_of pre)"
replaced() { uid=$(k get job "$(job_of pre)" -o 'jsonpath={.metadata.uid}') && [ "$uid" != "$killed" ]; }
until_true "SyncFail restores, and Argo CD tries again" 120 replaced
holds "what the SyncFail hook said" "$(said "$(job_of syncfail)")" "mongo 1→0"
finishes 300 Succeeded
holds "Argo CD of the post hook" "$(hook_says PostSync)" "same"
webhook "$unix" 200
is_back 30
paced "$(job_of pre)" "$(job_of post)"

scene "probes of others: the team's own, and one with an attack in it"
probes=$manifests/../target/probes
k create configmap taster-probes --from-file="$probes/shop-menu.wasm" --from-file=third-party.wasm="$probes/evil.wasm" >/dev/null
configure "a probe of our own, and one that we were offered" 's|^    report:|      - {name: menu, component: /etc/taster-probes/shop-menu.wasm, collections: [orders]}\
      - name: offered\
        component: /etc/taster-probes/third-party.wasm\
        collections: [orders]\
        severity: warn\
        config: {attack: out}\
    report:|'
start_sync
finishes 300 Succeeded
holds "Argo CD of the post hook" "$(hook_says PostSync)" "same"
holds "what became of the probes" "$(verdict "$unix" | python3 -c 'import json, sys
findings = json.load(sys.stdin)["findings"]
for probe in "menu", "offered":
    print(probe, sorted({f["outcome"] for f in findings if f.get("probe") == probe}), end=" ")')" "menu ['same']" "offered ['unknown']"
equal "collections of the stage that were not there before" "$(foreign_collections)" 0
webhook "$unix" 200
page "$unix" "offered" "menu"
is_back 30
paced "$(job_of pre)" "$(job_of post)"

scene "what is left"
equal "replicas" "$(replicas)" "mongo 0/0, pxbbq-web 0/0"
equal "production" "$(p get deployment,statefulset -o 'jsonpath={range .items[*]}{.metadata.name} {.status.readyReplicas}, {end}')" "pxbbq-web 3, mongo 1, "
seen "runs in the bucket: $(ask --fail --header "Authorization: Bearer $token" "$(serving)/v1/apps/pxbbq/runs" | python3 -c 'import json, sys
runs = json.load(sys.stdin)["runs"]
print(", ".join("%s %s" % (run["run"], run.get("verdict")) for run in runs))')"
seen "Jobs: $(k get jobs -o name | wc -l), each with its log for a day"

printf '\nthe story holds under Argo CD (%ss)\n' "$SECONDS"
