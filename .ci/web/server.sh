# shellcheck shell=bash
# A store with runs of every kind, and a server for it. Source it from the root of the checkout.

pages=$PWD/target/pages

# Fills target/pages/store by the test that makes hostile, large and many runs.
fill_pages() {
  rm -rf "$pages"
  mkdir -p "$pages"
  TASTER_PAGES_DIR=$pages/store "${CARGO:-cargo}" test --locked --quiet --workspace --test it pages::what_a_database
  # a filter that matches no test passes
  [ -d "$pages/store" ] || { echo "no test pages::what_a_database has filled $pages/store" >&2; exit 1; }
}

# Starts `taster serve` on that store; it ends with this shell. Sets url.
serve_pages() { # LOG
  coproc server { exec target/debug/taster serve --store "file://$pages/store" --listen 127.0.0.1:0 2>"$1"; }
  # shellcheck disable=SC2154 # coproc sets server_PID
  trap 'kill "$server_PID" 2>/dev/null || true' EXIT
  local line
  read -r line <&"${server[0]}"
  # shellcheck disable=SC2034 # for the script that sources this
  url=${line#listening on }
}
