#!/usr/bin/env bash
# Makes sure that Node and npm are installed for the tests of the client in TypeScript and of the worker in JavaScript,
# and prints which ones it uses.
#
# In this order: those on the PATH, Debian's packages nodejs and npm. The tests themselves install packages with npm.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/apt.sh

oldest=20

# Prints which ones are used, if they run and are new enough, and ends the script.
use() {
  local node npm
  if node=$(node --version 2>/dev/null) && npm=$(npm --version 2>/dev/null); then
    node=${node#v}
    if [ "${node%%.*}" -ge "$oldest" ]; then
      echo "node: $(command -v node) ($1), $node with npm $npm"
      exit 0
    fi
  fi
}

use "on the PATH"
if with_apt nodejs npm; then
  hash -r
  use "from Debian"
fi

cat >&2 <<END
node: there is no Node $oldest or later with npm on the PATH, and apt could not get them.
The client in TypeScript is tested with them. Install them (Debian 13: apt-get install nodejs npm).
END
exit 1
