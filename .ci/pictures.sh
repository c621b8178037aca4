#!/usr/bin/env bash
# Renders the pictures of README.md from the files of `make story KEEP=FOLDER`: pictures.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
kept=${1:?the folder given to make story as KEEP}
# shellcheck source=.ci/web/tools.sh
source .ci/web/tools.sh
cp .ci/web/pictures.mjs "$tools/"
mkdir -p manifests/pictures
node "$tools/pictures.mjs" "$kept/report.html" "$kept/terminal.ansi" manifests/pictures
ls -l manifests/pictures
