#!/usr/bin/env bash
# ShellCheck over every script, files that scripts source included.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard | xargs grep -lE --max-count 1 '^#!.*\b(ba)?sh$' | sort -u)
[ "${#scripts[@]}" -gt 10 ] || { echo "found only ${#scripts[@]} scripts" >&2; exit 1; }
shellcheck --severity=warning --external-sources --source-path=SCRIPTDIR --source-path=. "${scripts[@]}"
echo "shellcheck: ${#scripts[@]} scripts and what they source"
