#!/usr/bin/env bash
# Makes sure that Chromium and its driver are installed for the tests of the dashboard, and prints which ones are used.
#
# In this order: the driver that CHROMEDRIVER names, the one on the PATH, Debian's packages chromium and
# chromium-driver. The driver finds the browser by itself, or through CHROMIUM.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/apt.sh

# Prints which driver is used, if it runs, and ends the script.
use() {
  local version browser
  browser=${CHROMIUM:-$(command -v chromium || command -v google-chrome || true)}
  if [ -n "$browser" ] && version=$("$1" --version 2>/dev/null); then
    echo "chromium: $browser, driven by $1 ($2), ${version%% (*}"
    exit 0
  fi
}

if [ -n "${CHROMEDRIVER:-}" ]; then
  use "$CHROMEDRIVER" "named by CHROMEDRIVER"
  echo "chromium: CHROMEDRIVER is $CHROMEDRIVER, which does not run, or there is no chromium" >&2
  exit 1
fi
if found=$(command -v chromedriver); then use "$found" "on the PATH"; fi
if with_apt chromium chromium-driver fonts-dejavu-core; then
  use "$(command -v chromedriver || echo /usr/bin/chromedriver)" "from Debian"
fi

cat >&2 <<'END'
chromium: there is no chromedriver with a Chromium, and apt could not get them.
The dashboard is tested in a real browser. Install them (Debian: apt-get install chromium chromium-driver), or set
CHROMEDRIVER to the driver, and CHROMIUM to the browser where the driver does not find it.
END
exit 1
