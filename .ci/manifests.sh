#!/usr/bin/env bash
# Are the manifests what they promise? `write` makes manifests/hooks-component and manifests/hooks-s3 of manifests/hooks anew.
set -euo pipefail
cd "$(dirname "$0")/.."

# kustomize refuses `generateName`, so the component's Jobs are those of hooks/ with a name; nothing else may differ
named() {
  sed 's/^  generateName: \(.*\)-$/  name: \1/' "manifests/hooks/$1.yaml"
}
hooks=(pre post syncfail)

# an object store in place of the volume; nothing else may differ
in_s3() {
  sed -e '/name: results[,}]/d' -e 's|store: file:///var/lib/taster|store: s3://taster-results/stage|' "manifests/hooks/$1.yaml"
}
objects=(serviceaccount role config pre post syncfail abandoned gc secret.example)

if [ "${1:-}" = write ]; then
  for hook in "${hooks[@]}"; do named "$hook" >"manifests/hooks-component/$hook.yaml"; done
  for object in "${objects[@]}"; do in_s3 "$object" >"manifests/hooks-s3/$object.yaml"; done
  exit
fi

for hook in "${hooks[@]}"; do
  diff --unified=0 --label "hooks/$hook.yaml, named" <(named "$hook") "manifests/hooks-component/$hook.yaml" || {
    echo "the hooks differ in more than their names: mend hooks/$hook.yaml, then: .ci/manifests.sh write" >&2
    exit 1
  }
done
echo "hooks and hooks-component differ in the names alone"
for object in "${objects[@]}"; do
  diff --unified=0 --label "hooks/$object.yaml, in S3" <(in_s3 "$object") "manifests/hooks-s3/$object.yaml" || {
    echo "hooks-s3 differs in more than its store: mend hooks/$object.yaml, then: .ci/manifests.sh write" >&2
    exit 1
  }
done
echo "hooks and hooks-s3 differ in the store alone"

# a python of one's own often lacks the library that the system's has
for python in python3 /usr/bin/python3; do
  "$python" -c 'import yaml' 2>/dev/null && break
  python=
done
[ -n "$python" ] || { echo "missing: python3-yaml (.ci/setup.sh installs it)" >&2; exit 4; }
command -v lua5.1 >/dev/null || { echo "missing: lua5.1 (.ci/setup.sh installs it)" >&2; exit 4; }

kustomize=$(manifests/local/build.sh kustomize | tail -n 1)/kustomize
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
for overlay in manifests/overlays/*/; do
  "$kustomize" build "$overlay" >"$built/$(basename "$overlay").yaml"
done
"$python" .ci/manifests/check.py "$built"
