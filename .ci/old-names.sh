#!/usr/bin/env bash
# Checks that replaced names are used nowhere but in the changelog. .ci/docs/old_names.py lists them.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 .ci/docs/old_names.py
