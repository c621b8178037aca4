# shellcheck shell=bash disable=SC2034
# A real browser and what drives it; fetched once. Sets CHROMIUM and tools.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/taster
export CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v google-chrome || true)}
if [ -z "$CHROMIUM" ] || ! command -v npm >/dev/null; then
  missing=()
  [ -n "$CHROMIUM" ] || missing+=(chromium fonts-dejavu-core)
  command -v npm >/dev/null || missing+=(nodejs npm)
  echo "installing: ${missing[*]}"
  sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  log=$(mktemp)
  if ! { "${sudo[@]}" apt-get update && DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "could not install: ${missing[*]}" >&2
    exit 1
  fi
  CHROMIUM=${CHROMIUM:-$(command -v chromium)}
fi

# the packages are pinned with their digests; a folder of another lock file is another folder
tools=$cache/web-$(sha256sum .ci/web/package-lock.json | cut -c1-12)
if [ ! -e "$tools/done" ]; then
  mkdir -p "$tools"
  cp .ci/web/package.json .ci/web/package-lock.json "$tools/"
  npm ci --prefix "$tools" --ignore-scripts --no-audit --no-fund --loglevel=error
  touch "$tools/done"
fi
