#!/usr/bin/env bash
# Names that were replaced are found nowhere but in the changelog: .ci/old-names.txt lists them.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 .ci/docs/old_names.py
