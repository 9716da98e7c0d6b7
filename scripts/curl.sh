#!/usr/bin/env bash
# Makes sure that there is a curl, with which the documents ask and the test of their commands too.
#
# In this order: the one on the PATH, Debian's package curl.
set -euo pipefail

# Says which curl is used, if it runs, and ends the script.
use() {
  local version
  if version=$(curl --version 2>/dev/null); then
    version=${version#curl }
    echo "curl: $(command -v curl) ($1), ${version%% *}"
    exit 0
  fi
}

with_apt() {
  local sudo=()
  if [ "$(id -u)" != 0 ]; then sudo=(sudo); fi
  "${sudo[@]}" apt-get update && "${sudo[@]}" apt-get install -y --no-install-recommends curl
}

use "on the PATH"
if command -v apt-get >/dev/null && with_apt; then use "from Debian"; fi

echo "curl: there is none, and apt could not get one. Install it, and put it on the PATH." >&2
exit 1
