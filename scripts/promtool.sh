#!/usr/bin/env bash
# Makes sure that there is a promtool for the tests, and prints where it is.
#
# In this order: the one that PROMTOOL names, the one on the PATH, the one that this script has put into target/ before,
# the one from Debian's package prometheus, which is unpacked into target/ and not installed, so that no service starts.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$PWD/target/prometheus

# Prints which promtool is used, if it runs, and ends the script.
use() {
  if "$1" --version >/dev/null 2>&1; then
    echo "$1"
    exit 0
  fi
}

# Fills a new folder, and moves it into place only when it is complete: several tests may do so at once.
with_apt() {
  local new
  mkdir -p target
  new=$(mktemp -d "$folder.new-XXXXXX")
  # So that apt's own user may write there, too.
  chmod 755 "$new"
  (
    cd "$new"
    # Without package lists, or with old ones, there is nothing to download; only root can get new ones.
    apt-get download -q prometheus >&2 || {
      local sudo=()
      if [ "$(id -u)" != 0 ]; then sudo=(sudo -n); fi
      "${sudo[@]}" apt-get update -q >&2 && apt-get download -q prometheus >&2
    }
    dpkg-deb -x prometheus_*.deb .
    rm prometheus_*.deb
  ) || {
    rm -rf "$new"
    return 1
  }
  mv -T "$new" "$folder" 2>/dev/null || rm -rf "$new"
}

if [ -n "${PROMTOOL:-}" ]; then
  use "$PROMTOOL"
  echo "promtool: PROMTOOL is $PROMTOOL, which does not run" >&2
  exit 1
fi
if found=$(command -v promtool); then use "$found"; fi
use "$folder/usr/bin/promtool"
if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null && with_apt; then use "$folder/usr/bin/promtool"; fi

cat >&2 <<'END'
promtool: there is none, and apt could not get one.
Install Prometheus from https://prometheus.io/download/ and put promtool on the PATH, or set PROMTOOL to it.
END
exit 1
