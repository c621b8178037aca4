#!/usr/bin/env bash
# Makes the pictures of README.md anew, of what `make story KEEP=FOLDER` has kept: pictures.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
kept=${1:?the folder that make story was given as KEEP}
# shellcheck source=.ci/web/tools.sh
source .ci/web/tools.sh
cp .ci/web/pictures.mjs "$tools/"
mkdir -p manifests/pictures
node "$tools/pictures.mjs" "$kept/report.html" "$kept/terminal.ansi" manifests/pictures
ls -l manifests/pictures
