#!/usr/bin/env bash
# What CI shortens, in full, and what it leaves out for its time. Prints what each step took.
set -euo pipefail
cd "$(dirname "$0")/.."

times=()
print_times() {
  printf '\n== %s s in all\n' "$SECONDS"
  printf '%s\n' "${times[@]}"
}
trap print_times EXIT
step() { # NAME COMMAND...
  local started=$SECONDS
  printf '\n== %s (%s)\n' "$1" "$(date +%T)"
  "${@:2}"
  times+=("$((SECONDS - started)) s  $1")
}

# CI: a hundred thousand
step "a million rewritten documents" env TASTER_TEST_DOCUMENTS=1000000 .ci/tests.py --host among_many_rewritten
# CI: a hundred rounds
step "five hundred rounds of a faulty bucket" env TASTER_TEST_FAULT_ROUNDS=250 .ci/tests.py --host rounds_of_faults
# CI: ten rounds
step "two posts at once, five hundred rounds" env TASTER_TEST_ROUNDS=500 .ci/tests.py --host two_posts_at_once
# CI: a hundred rounds, the same ones each time; here others each night, which the step's name says
first=${TASTER_TEST_BASE:-$(date +%Y%m%d)0000}
step "2000 rounds of losses and 2000 without, from seed $first" \
  env TASTER_TEST_ROUNDS=2000 TASTER_TEST_BASE="$first" .ci/tests.py --host --least 4 mutations::
# CI: 300 runs, 2000 requests
step "pages of a thousand runs, and the API with ten thousand requests" \
  env TASTER_TEST_RUNS=1000 make --no-print-directory test-web REQUESTS=10000
# CI: once; the second time starts from what the first has left
step "cluster tests, the hooks twice" make --no-print-directory test-cluster TIMES=2
step "the story under Argo CD, twice" make --no-print-directory story TIMES=2 BINARY=target/debug/taster
# CI: not at all
step "benchmarks" make --no-print-directory bench
