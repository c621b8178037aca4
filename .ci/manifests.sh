#!/usr/bin/env bash
# Checks the manifests. `manifests.sh write` derives manifests/hooks-component and manifests/hooks-s3 from manifests/hooks.
set -euo pipefail
cd "$(dirname "$0")/.."

# kustomize rejects `generateName`, so the component's Jobs have names; they may differ from hooks/ in nothing else
named() {
  sed 's/^  generateName: \(.*\)-$/  name: \1/' "manifests/hooks/$1.yaml"
}
hooks=(pre post syncfail)

# an object store instead of the volume; they may differ from hooks/ in nothing else
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
    echo "the hooks differ in more than their names: edit hooks/$hook.yaml, then run .ci/manifests.sh write" >&2
    exit 1
  }
done
echo "hooks and hooks-component differ only in their names"
for object in "${objects[@]}"; do
  diff --unified=0 --label "hooks/$object.yaml, in S3" <(in_s3 "$object") "manifests/hooks-s3/$object.yaml" || {
    echo "hooks-s3 differs in more than its store: edit hooks/$object.yaml, then run .ci/manifests.sh write" >&2
    exit 1
  }
done
echo "hooks and hooks-s3 differ only in their store"

# a Python that a user installed often lacks the library that the system's has
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
