#!/usr/bin/env bash
# The story on a real node, from nothing: the shop and its data at 0 replicas, the hook Jobs as pods of the real image with
# the shipped Role, upgrades that keep the data and one that loses orders, and everything that may go wrong between. It
# plays Argo CD: the names of the Jobs, what is applied when, and what is not.
#
#   story.sh [IMAGE.tar]     the archive of taster:dev, made by `make image`; without it the node has the image already
#
# $KUBECONFIG names the cluster, else it is the one of cluster.sh, which is started. Of another cluster it asks that it has
# the images and a default storage class; one scene, which kills a process on the node, is left out there and says so.
# Says what it saw, one line each; ends with 1 at the first thing that is not as it should be, and tells what the cluster says.
set -euo pipefail
room=$(cd "$(dirname "$0")" && pwd)
manifests=$(dirname "$room")
# shellcheck source=story/stage.sh
source "$room/story/stage.sh"

bin=${KUBEBUILDER_ASSETS:-$("$room/build.sh" kubernetes | tail -n 1)}
kustomize=$("$room/build.sh" kustomize | tail -n 1)/kustomize
state=${TASTER_CLUSTER_STATE:-/var/lib/taster-cluster}
[ -n "${KUBECONFIG:-}" ] || KUBECONFIG=$("$room/cluster.sh" up)
export KUBECONFIG
# where the node's volumes are, when the node is this machine
volumes=
[ "$KUBECONFIG" != "$state/kubeconfig" ] || volumes=$state/volumes
[ $# -eq 0 ] || "$room/cluster.sh" load "$1"

work=$(mktemp -d)
scene="set-up"
ended() {
  local code=$?
  [ "$code" -eq 0 ] || tell
  rm -rf "$work"
  exit "$code"
}
trap ended EXIT
mkdir -p "$work/git"
cp -r "$manifests/base" "$manifests/overlays" "$manifests/hooks-component" "$work/git/"
SECONDS=0

scene "every overlay applies to a real API server"
wipe
for overlay in "$manifests"/overlays/*/; do
  applied=$("$kustomize" build "$overlay" | k apply --server-side --dry-run=server -f - | wc -l)
  seen "$(basename "$overlay"): $applied objects"
done
for file in "$manifests"/hooks/*.yaml; do
  k create --dry-run=server -f "$file" >/dev/null
done
seen "hooks: $(find "$manifests/hooks" -name '*.yaml' | wc -l) files"

scene "a first sync, into an empty namespace, with the hook there before its own ServiceAccount"
operation
hook pre presync
refused() { k get events -o 'jsonpath={range .items[*]}{.message}{"\n"}{end}' | grep -F 'serviceaccount "taster" not found'; }
until_true "the pod is refused" 30 refused
seen "the Job waits: $(refused | head -n 1)"
ground
ends "$job" 120 Complete
holds "what it says" "$(said "$job")" "nothing to taste yet"
sync v4.2
hook post postsync
ends "$job" 60 Complete
holds "what the post hook says" "$(said "$job")" "nothing to taste yet"
equal "replicas" "$(replicas)" "mongo 0/0, pxbbq-web 0/0"

scene "the copy of production's data arrives"
k scale statefulset mongo --replicas 1 >/dev/null
k rollout status statefulset/mongo --timeout 120s --request-timeout 0 >/dev/null
k run seed --image pxbbq-web:v4.2 --restart Never -- seed >/dev/null
k wait pod/seed --for 'jsonpath={.status.phase}=Succeeded' --timeout 60s --request-timeout 0 >/dev/null
holds "data" "$(k logs seed)" '"orders": 2000' '"registrations": 500'
k delete pod seed --wait >/dev/null
k scale statefulset mongo --replicas 0 >/dev/null
k wait pod/mongo-0 --for delete --timeout 120s --request-timeout 0 >/dev/null
equal "replicas" "$(replicas)" "mongo 0/0, pxbbq-web 0/0"

scene "an upgrade that keeps the data"
operation
hook pre presync
ends "$job" 300 Complete
equal "replicas for the sync" "$(replicas)" "mongo 1/1, pxbbq-web 1/1"
holds "notes on the workloads" "$(records)" '"found":0' "\"run\":\"$unix\""
equal "the lock is held by" "$(holder)" ""
sync v4.3
hook post postsync
ends "$job" 300 Complete
holds "termination message" "$(said "$job")" "same"
holds "annotation of the Job" "$(annotation "$job" verdict)" "same"
equal "run" "$(annotation "$job" run)" "$unix"
holds "log" "$(grep -F 'v4.2' "$work/$job.log" | head -n 1)" "v4.2" "v4.3"
is_back 30

scene "two syncs at once: one works, the other waits"
operation
hook pre presync
one=$job
operation
hook pre presync
two=$job
until_true "one of them has the lock" 60 held
winner=$(holder)
case "$winner" in
  "$(uid_of "$one")") winner=$one loser=$two ;;
  "$(uid_of "$two")") winner=$two loser=$one ;;
  *) fail "the lock is held by $winner, which is neither" ;;
esac
seen "$winner has the lock"
waits() { k logs "job/$loser" | grep -F "$(pod_of "$winner")"; }
until_true "$loser names whom it waits for" 60 waits
seen "$loser says: $(waits | head -n 1)"
ends "$one" 300 Complete
ends "$two" 300 Complete
equal "replicas for the sync" "$(replicas)" "mongo 1/1, pxbbq-web 1/1"
holds "notes keep what was found first" "$(records)" '"found":0'
hook post postsync
ends "$job" 300 Complete
is_back 30

scene "two syncs at once, configured to fail"
ground 's|busy: wait, wait: 10m|busy: fail|'
operation
first=$unix
hook pre presync
one=$job
until_true "the first one has the lock" 60 held
operation
hook pre presync
ends "$job" 120 Failed
equal "exit code" "$(terminated "$job" exitCode)" 4
holds "what it says" "$(said "$job")" "$(pod_of "$one")"
ends "$one" 300 Complete
ground
second=$unix unix=$first
hook post postsync
ends "$job" 300 Complete
is_back 30
unix=$second

scene "a sync that is terminated: Argo CD deletes the running hook and starts no SyncFail"
operation
hook pre presync
runs() { [ "$(k get pod "$(pod_of "$job")" -o 'jsonpath={.status.phase}')" = Running ]; }
until_true "the hook runs" 60 runs
# the pod goes with the Job, so its log is read while it is there
k logs --follow "$(pod_of "$job")" --request-timeout 0 >"$work/terminated.log" 2>&1 &
follow=$!
until_true "mongo is scaled up" 120 scaled_up
k delete job "$job" --wait=false >/dev/null
is_back 5
wait "$follow" || true
holds "its log" "$(grep "1→0" "$work/terminated.log" | tail -n 1)" "scaled" "mongo"

scene "a hook whose pod is evicted, as by a node that is drained"
operation
hook pre presync
until_true "mongo is scaled up" 120 scaled_up
evicted=$(pod_of "$job")
k create --raw "/api/v1/namespaces/$namespace/pods/$evicted/eviction" -f - >/dev/null <<JSON
{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "$evicted", "namespace": "$namespace"}}
JSON
ends "$job" 300 Complete
[ "$(pod_of "$job")" != "$evicted" ] || fail "no other pod took its place"
seen "$(pod_of "$job") took the place of $evicted, although backoffLimit is 0"
holds "notes" "$(records)" '"found":0' "\"run\":\"$unix\""
hook post postsync
ends "$job" 300 Complete
is_back 30

scene "a hook that is killed"
if [ -n "$volumes" ]; then
  operation
  hook pre presync
  until_true "mongo is scaled up" 120 scaled_up
  kill_hook "$job"
  ends "$job" 60 Failed
  equal "exit code" "$(terminated "$job" exitCode)" 137
  holds "notes stay" "$(records)" '"found":0' "\"run\":\"$unix\""
  hook syncfail syncfail
  ends "$job" 60 Complete
  is_back 5
  holds "what it says" "$(said "$job")" "mongo"
  operation
  hook syncfail syncfail
  ends "$job" 60 Complete
  equal "a second restore finds" "$(replicas)" "mongo 0/0, pxbbq-web 0/0"

  scene "a hook that is killed, and nobody comes"
  operation
  hook pre presync
  until_true "mongo is scaled up" 120 scaled_up
  kill_hook "$job"
  ends "$job" 60 Failed
  k create job abandoned-early --from cronjob/taster-abandoned >/dev/null
  ends abandoned-early 60 Complete
  holds "before abandonedAfter the CronJob leaves it alone" "$(records)" '"found":0' "\"run\":\"$unix\""
  ground 's/abandonedAfter: 4h/abandonedAfter: 1s/'
  k create job abandoned-late --from cronjob/taster-abandoned >/dev/null
  ends abandoned-late 60 Complete
  is_back 5
  ground
else
  echo "   left out: to kill a process on the node it must be this machine"
fi

scene "a mongod that crashes"
k patch statefulset mongo --type json \
  --patch '[{"op": "add", "path": "/spec/template/spec/containers/0/args", "value": ["--no-such-option"]}]' >/dev/null
operation
hook pre presync
crashes() { k get pod mongo-0 -o 'jsonpath={.status.containerStatuses[0].state.waiting.reason}' | grep -x CrashLoopBackOff; }
until_true "the kubelet says CrashLoopBackOff" 120 crashes
word=$(now_ms)
until_true "$job ends" 30 condition "$job"
late=$(($(now_ms) - word))
[ "$late" -le 10000 ] || fail "$late ms after the kubelet's word"
seen "$job ended $late ms after the kubelet's word"
ends "$job" 1 Failed
equal "exit code" "$(terminated "$job" exitCode)" 4
holds "what it says" "$(said "$job")" "mongo" "CrashLoopBackOff"
is_back 10
k patch statefulset mongo --type json --patch '[{"op": "remove", "path": "/spec/template/spec/containers/0/args"}]' >/dev/null

scene "an upgrade that loses orders"
operation
hook pre presync
ends "$job" 300 Complete
# which ones it will lose, asked of the database and not of taster
# shellcheck disable=SC2016 # the dollars are MongoDB's
day='{"status": "open", "created": {"$gte": d, "$lt": d + datetime.timedelta(days=1)}}'
k exec deployment/pxbbq-web -- python3 -c "
import datetime, os, pymongo
d = datetime.datetime(2026, 1, 8)
shop = pymongo.MongoClient(os.environ['MONGO_URI']).get_default_database()
for order in shop.orders.find($day, {'_id': 1}): print(order['_id'])" >"$work/lost"
lost=$(wc -l <"$work/lost")
[ "$lost" -gt 0 ] || fail "the upgrade has nothing to lose"
sync v4.3-lossy
holds "the app" "$(k logs --selector app.kubernetes.io/name=pxbbq-web --tail -1)" "archived $lost orders"
hook post postsync
ends "$job" 300 Failed
equal "exit code" "$(terminated "$job" exitCode)" 1
holds "the Job's condition" "$(k get job "$job" -o 'jsonpath={.status.conditions[?(@.type=="Failed")].message}')" "exit code 1"
holds "annotation of the Job" "$(annotation "$job" verdict)" "different" "$lost missing"
message=$(said "$job")
holds "termination message" "$message" "different" "orders" "$lost"
[ "${#message}" -le 4096 ] || fail "the termination message has ${#message} bytes"
named=$(grep -cFf "$work/lost" <(grep -oE '[0-9a-f]{24}' <<<"$message")) || fail "no lost order is named"
others=$(grep -cvFf "$work/lost" <(grep -oE '[0-9a-f]{24}' <<<"$message")) || true
equal "orders named that were not lost" "$others" 0
seen "$named of $lost lost orders are named in the termination message"
inlog=$(grep -oFf "$work/lost" "$work/$job.log" | sort -u | wc -l)
equal "lost orders named in the log" "$inlog" "$lost"
is_back 30

printf '\nthe story holds (%ss)\n' "$SECONDS"
