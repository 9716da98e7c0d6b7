#!/usr/bin/env bash
# Checks that every select! that can run in a simulation is biased.
#
# Without `biased;`, tokio decides which branch is polled first with its own generator, which cannot be seeded. A single
# such choice makes two runs of the same seed differ, so that a failure cannot be replayed. The bus over NATS is left
# out: it never runs in a simulation.
set -euo pipefail
cd "$(dirname "$0")/.."

# `biased;` has to be the first thing inside the braces, on the same line or on the next.
unbiased=$(find runtime/src sim/src -name '*.rs' -not -path 'runtime/src/bus/nats/*' -print0 | sort -z |
  xargs -0 awk '
    FNR == 1 { pending = "" }
    pending != "" {
      if ($0 !~ /^[[:space:]]*biased;/) print pending
      pending = ""
    }
    /^[[:space:]]*\/\// { next }
    /select!/ {
      rest = $0
      sub(/.*select![[:space:]]*[{(\[]?[[:space:]]*/, "", rest)
      if (rest == "") pending = FILENAME ":" FNR
      else if (rest !~ /^biased;/) print FILENAME ":" FNR
    }')
if [ -n "$unbiased" ]; then
  echo "These select! are not biased, and would make a simulation differ from run to run:" >&2
  echo "$unbiased" >&2
  exit 1
fi
echo "every select! that can run in a simulation is biased"
