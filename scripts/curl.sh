#!/usr/bin/env bash
# Makes sure that curl is installed, which the commands in the documents use, and so their test.
#
# In this order: the one on the PATH, Debian's package curl.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/apt.sh

# Prints which curl is used, if it runs, and ends the script.
use() {
  local version
  if version=$(curl --version 2>/dev/null); then
    version=${version#curl }
    echo "curl: $(command -v curl) ($1), ${version%% *}"
    exit 0
  fi
}

use "on the PATH"
if with_apt curl; then use "from Debian"; fi

echo "curl: there is none, and apt could not get one. Install it, and put it on the PATH." >&2
exit 1
