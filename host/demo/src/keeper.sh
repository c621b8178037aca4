#!/bin/sh
# Runs a mongod that lives no longer than its owner, however the owner ends (kill -9 included).
# $1 folder to remove at the end, or nothing · $2 file for what mongod prints · rest: the command
# The owner holds our standard input open, and reads mongod's exit status from our standard output.
scratch=$1 printed=$2
shift 2
exec 3<&0
"$@" </dev/null 3<&- >"$printed" 2>&1 &
mongod=$!
{ cat <&3; kill -9 "$mongod"; } >/dev/null &
watcher=$!
wait "$mongod"
status=$?
# at once, so that a later process of the same number is never hit
kill "$watcher"
# the owner may be gone already, which must not be the end of us
trap '' PIPE
echo "$status"
exec >/dev/null
cat <&3
[ -z "$scratch" ] || rm -rf "$scratch"
