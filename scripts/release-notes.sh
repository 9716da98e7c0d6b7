#!/usr/bin/env bash
# Prints the section of CHANGELOG.md about a version, for the release: `release-notes.sh VERSION`, with or without a
# leading `v`.
#
# Links to files become links to the files of that version. A second argument names another changelog.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo "usage: scripts/release-notes.sh VERSION [CHANGELOG]" >&2
  exit 2
fi
version=${1#v}
changelog=${2:-CHANGELOG.md}

if [ "$version" = Unreleased ]; then tree=main; else tree=v$version; fi
repository=$(sed -n 's/^repository = "\(.*\)"$/\1/p' Cargo.toml)

# From the version's heading to the next one, without the link definitions at the end of the file. A link with a colon
# has a scheme, and one that begins with # stays on the page: both are left as they are.
notes=$(awk -v heading="## [$version]" '
  /^## / { inside = index($0, heading) == 1; next }
  inside && !/^\[[^]]+\]: /
' "$changelog" | sed -E -e '/./,$!d' -e "s|\]\(([^):#][^):]*)\)|](${repository}/blob/${tree}/\1)|g")
if [ -z "$notes" ]; then
  echo "release-notes: $changelog says nothing of $version" >&2
  exit 1
fi
echo "$notes"
