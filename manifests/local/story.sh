#!/usr/bin/env bash
# End-to-end test of the hooks on a real node: the shop and its data at 0 replicas, the hook Jobs as pods of the real image with
# the Role of manifests/hooks, upgrades that keep the data, one that loses orders, and failures in between. The script does what
# Argo CD does: it names the Jobs and applies the manifests in the same order.
#
#   story.sh [IMAGE.tar]     the archive of taster:dev from `make image`; omit it if the node has the image
#
# $KUBECONFIG names the cluster; default: the one of cluster.sh, which is started. Another cluster needs the images and a default
# storage class; the scene that kills a process on the node is skipped there.
# Prints one line per check; exits with 1 at the first failed check, after printing the state of the cluster.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
manifests=$(dirname "$here")
# shellcheck source=story/stage.sh
source "$here/story/stage.sh"

bin=${KUBEBUILDER_ASSETS:-$("$here/build.sh" kubernetes | tail -n 1)}
kustomize=$("$here/build.sh" kustomize | tail -n 1)/kustomize
state=${TASTER_CLUSTER_STATE:-/var/lib/taster-cluster}
[ -n "${KUBECONFIG:-}" ] || KUBECONFIG=$("$here/cluster.sh" up)
export KUBECONFIG
# the node's volumes, if the node is this machine
volumes=
[ "$KUBECONFIG" != "$state/kubeconfig" ] || volumes=$state/volumes
[ $# -eq 0 ] || "$here/cluster.sh" load "$1"

work=$(mktemp -d)
scene="set-up"
on_exit() {
  local code=$?
  [ "$code" -eq 0 ] || dump_cluster
  rm -rf "$work"
  exit "$code"
}
trap on_exit EXIT
mkdir -p "$work/git"
cp -r "$manifests/base" "$manifests/overlays" "$manifests/hooks-component" "$work/git/"
SECONDS=0

scene "every overlay applies to a real API server"
reset_namespace
for overlay in "$manifests"/overlays/*/; do
  applied=$("$kustomize" build "$overlay" | k apply --server-side --dry-run=server -f - | wc -l)
  pass "$(basename "$overlay"): $applied objects"
done
for file in "$manifests"/hooks/*.yaml; do
  k create --dry-run=server -f "$file" >/dev/null
done
pass "hooks: $(find "$manifests/hooks" -name '*.yaml' | wc -l) files"

scene "a first sync, into an empty namespace, with the hook created before its ServiceAccount"
begin_run
start_hook pre presync
pod_is_rejected() { k get events -o 'jsonpath={range .items[*]}{.message}{"\n"}{end}' | grep -F 'serviceaccount "taster" not found'; }
wait_until "the pod is rejected" 30 pod_is_rejected
pass "the Job waits: $(pod_is_rejected | head -n 1)"
apply_configuration
wait_for_job "$job" 120 Complete
contains "termination message of pre" "$(termination_message "$job")" "nothing to taste yet"
apply_release v4.2
start_hook post postsync
wait_for_job "$job" 60 Complete
contains "termination message of post" "$(termination_message "$job")" "nothing to taste yet"
equals "replicas" "$(replicas)" "mongo 0/0, pxbbq-web 0/0"

scene "a copy of production's data"
k scale statefulset mongo --replicas 1 >/dev/null
k rollout status statefulset/mongo --timeout 120s --request-timeout 0 >/dev/null
k run seed --image pxbbq-web:v4.2 --restart Never -- seed >/dev/null
k wait pod/seed --for 'jsonpath={.status.phase}=Succeeded' --timeout 60s --request-timeout 0 >/dev/null
contains "data" "$(k logs seed)" '"orders": 2000' '"registrations": 500'
k delete pod seed --wait >/dev/null
k scale statefulset mongo --replicas 0 >/dev/null
k wait pod/mongo-0 --for delete --timeout 120s --request-timeout 0 >/dev/null
equals "replicas" "$(replicas)" "mongo 0/0, pxbbq-web 0/0"

scene "an upgrade that keeps the data"
begin_run
start_hook pre presync
wait_for_job "$job" 300 Complete
equals "replicas for the sync" "$(replicas)" "mongo 1/1, pxbbq-web 1/1"
contains "records on the workloads" "$(scale_records)" '"found":0' "\"run\":\"$unix\""
equals "the lock is held by" "$(holder)" ""
apply_release v4.3
start_hook post postsync
wait_for_job "$job" 300 Complete
contains "termination message" "$(termination_message "$job")" "same"
contains "annotation of the Job" "$(annotation "$job" verdict)" "same"
equals "run" "$(annotation "$job" run)" "$unix"
contains "log" "$(grep -F 'v4.2' "$work/$job.log" | head -n 1)" "v4.2" "v4.3"
wait_restored 30

scene "two syncs at once: one works, the other waits"
begin_run
start_hook pre presync
one=$job
begin_run
start_hook pre presync
two=$job
wait_until "one of them has the lock" 60 held
winner=$(holder)
case "$winner" in
  "$(uid_of "$one")") winner=$one loser=$two ;;
  "$(uid_of "$two")") winner=$two loser=$one ;;
  *) fail "the lock is held by $winner, which is neither" ;;
esac
pass "$winner has the lock"
waits() { k logs "job/$loser" | grep -F "$(pod_of "$winner")"; }
wait_until "$loser names the pod that it waits for" 60 waits
pass "log of $loser: $(waits | head -n 1)"
wait_for_job "$one" 300 Complete
wait_for_job "$two" 300 Complete
equals "replicas for the sync" "$(replicas)" "mongo 1/1, pxbbq-web 1/1"
contains "the records keep the original replicas" "$(scale_records)" '"found":0'
start_hook post postsync
wait_for_job "$job" 300 Complete
wait_restored 30

scene "two syncs at once, configured to fail"
apply_configuration 's|busy: wait, wait: 10m|busy: fail|'
begin_run
first=$unix
start_hook pre presync
one=$job
wait_until "the first one has the lock" 60 held
begin_run
start_hook pre presync
wait_for_job "$job" 120 Failed
equals "exit code" "$(terminated "$job" exitCode)" 4
contains "termination message" "$(termination_message "$job")" "$(pod_of "$one")"
wait_for_job "$one" 300 Complete
apply_configuration
second=$unix unix=$first
start_hook post postsync
wait_for_job "$job" 300 Complete
wait_restored 30
unix=$second

scene "a terminated sync: Argo CD deletes the running hook and runs no SyncFail"
begin_run
start_hook pre presync
runs() { [ "$(k get pod "$(pod_of "$job")" -o 'jsonpath={.status.phase}')" = Running ]; }
wait_until "the hook runs" 60 runs
# the pod is deleted with the Job, so its log is read while it runs
k logs --follow "$(pod_of "$job")" --request-timeout 0 >"$work/terminated.log" 2>&1 &
follow=$!
wait_until "mongo is scaled up" 120 scaled_up
k delete job "$job" --wait=false >/dev/null
wait_restored 5
wait "$follow" || true
contains "log" "$(grep "scaled a workload" "$work/terminated.log" | tail -n 1)" "mongo" "from=1 to=0"

scene "a hook whose pod is evicted, as when a node is drained"
begin_run
start_hook pre presync
wait_until "mongo is scaled up" 120 scaled_up
evicted=$(pod_of "$job")
k create --raw "/api/v1/namespaces/$namespace/pods/$evicted/eviction" -f - >/dev/null <<JSON
{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "$evicted", "namespace": "$namespace"}}
JSON
wait_for_job "$job" 300 Complete
[ "$(pod_of "$job")" != "$evicted" ] || fail "no other pod replaced it"
pass "$(pod_of "$job") replaced $evicted, although backoffLimit is 0"
contains "records" "$(scale_records)" '"found":0' "\"run\":\"$unix\""
start_hook post postsync
wait_for_job "$job" 300 Complete
wait_restored 30

scene "a hook that is killed"
if [ -n "$volumes" ]; then
  begin_run
  start_hook pre presync
  wait_until "mongo is scaled up" 120 scaled_up
  kill_hook "$job"
  wait_for_job "$job" 60 Failed
  equals "exit code" "$(terminated "$job" exitCode)" 137
  contains "records are kept" "$(scale_records)" '"found":0' "\"run\":\"$unix\""
  start_hook syncfail syncfail
  wait_for_job "$job" 60 Complete
  wait_restored 5
  contains "termination message" "$(termination_message "$job")" "mongo"
  begin_run
  start_hook syncfail syncfail
  wait_for_job "$job" 60 Complete
  equals "replicas after a second restore" "$(replicas)" "mongo 0/0, pxbbq-web 0/0"

  scene "a hook that is killed, without a SyncFail hook"
  begin_run
  start_hook pre presync
  wait_until "mongo is scaled up" 120 scaled_up
  kill_hook "$job"
  wait_for_job "$job" 60 Failed
  k create job abandoned-early --from cronjob/taster-abandoned >/dev/null
  wait_for_job abandoned-early 60 Complete
  contains "before abandonedAfter the CronJob restores nothing" "$(scale_records)" '"found":0' "\"run\":\"$unix\""
  apply_configuration 's/abandonedAfter: 4h/abandonedAfter: 1s/'
  k create job abandoned-late --from cronjob/taster-abandoned >/dev/null
  wait_for_job abandoned-late 60 Complete
  wait_restored 5
  apply_configuration
else
  echo "   skipped: the node is not this machine, so its process cannot be killed"
fi

scene "a mongod that crashes"
k patch statefulset mongo --type json \
  --patch '[{"op": "add", "path": "/spec/template/spec/containers/0/args", "value": ["--no-such-option"]}]' >/dev/null
begin_run
start_hook pre presync
crashes() { k get pod mongo-0 -o 'jsonpath={.status.containerStatuses[0].state.waiting.reason}' | grep -x CrashLoopBackOff; }
wait_until "the kubelet reports CrashLoopBackOff" 120 crashes
reported=$(now_ms)
wait_until "$job ends" 30 condition "$job"
late=$(($(now_ms) - reported))
[ "$late" -le 10000 ] || fail "$late ms after the kubelet's report"
pass "$job ended $late ms after the kubelet's report"
wait_for_job "$job" 1 Failed
equals "exit code" "$(terminated "$job" exitCode)" 4
contains "termination message" "$(termination_message "$job")" "mongo" "CrashLoopBackOff"
wait_restored 10
k patch statefulset mongo --type json --patch '[{"op": "remove", "path": "/spec/template/spec/containers/0/args"}]' >/dev/null

scene "an upgrade that loses orders"
begin_run
start_hook pre presync
wait_for_job "$job" 300 Complete
# the orders that it will lose, read from the database and not from taster
# shellcheck disable=SC2016 # the dollars belong to MongoDB's query
day='{"status": "open", "created": {"$gte": d, "$lt": d + datetime.timedelta(days=1)}}'
k exec deployment/pxbbq-web -- python3 -c "
import datetime, os, pymongo
d = datetime.datetime(2026, 1, 8)
shop = pymongo.MongoClient(os.environ['MONGO_URI']).get_default_database()
for order in shop.orders.find($day, {'_id': 1}): print(order['_id'])" >"$work/lost"
lost=$(wc -l <"$work/lost")
[ "$lost" -gt 0 ] || fail "the upgrade has nothing to lose"
apply_release v4.3-lossy
contains "log of the app" "$(k logs --selector app.kubernetes.io/name=pxbbq-web --tail -1)" "archived $lost orders"
start_hook post postsync
wait_for_job "$job" 300 Failed
equals "exit code" "$(terminated "$job" exitCode)" 1
contains "the Job's condition" "$(k get job "$job" -o 'jsonpath={.status.conditions[?(@.type=="Failed")].message}')" "exit code 1"
contains "annotation of the Job" "$(annotation "$job" verdict)" "different" "$lost missing"
message=$(termination_message "$job")
contains "termination message" "$message" "different" "orders" "$lost"
[ "${#message}" -le 4096 ] || fail "the termination message has ${#message} bytes"
named=$(grep -cFf "$work/lost" <(grep -oE '[0-9a-f]{24}' <<<"$message")) || fail "no lost order is named"
others=$(grep -cvFf "$work/lost" <(grep -oE '[0-9a-f]{24}' <<<"$message")) || true
equals "orders named that were not lost" "$others" 0
pass "$named of $lost lost orders are named in the termination message"
inlog=$(grep -oFf "$work/lost" "$work/$job.log" | sort -u | wc -l)
equals "lost orders named in the log" "$inlog" "$lost"
wait_restored 30

printf '\nall checks passed (%ss)\n' "$SECONDS"
