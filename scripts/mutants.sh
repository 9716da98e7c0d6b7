#!/usr/bin/env bash
# Changes the core in every small way that cargo-mutants knows, one at a time, and sees whether a test notices.
#
# Each part is held to its own tests, which is faster than all and no weaker: what only the tests of another part would
# notice counts as missed. Arguments go to cargo-mutants, such as `--shard 0/8` for an eighth of all. What survived, and
# why that is accepted, is in docs/testing.md.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo-mutants >/dev/null || cargo install --locked cargo-mutants

# Enough cases to notice what is wrong, and not to be sure that nothing is.
export PROPTEST_CASES=${PROPTEST_CASES:-300}
missed=0

mutants() {
  local name=$1 files=$2
  shift 2
  local tests=()
  while [ "$1" != -- ]; do tests+=(--test "$1"); shift; done
  shift
  mkdir -p "target/mutants/$name"
  # Missed mutants are exit code 2, those that never end 3: the others are looked at, too.
  cargo mutants --package quorate-core --file "$files" --output "target/mutants/$name" --no-shuffle --timeout 60 \
    --jobs "${JOBS:-1}" "$@" -- --lib "${tests[@]}" || missed=$?
}

aggregation=(aggregation_exactness aggregation_laws aggregation_vectors)
mutants aggregate 'core/src/aggregate/*.rs' "${aggregation[@]}" -- "$@"
mutants values 'core/src/*.rs' "${aggregation[@]}" coordinator -- "$@"
mutants coordinator 'core/src/coordinator/*.rs' coordinator coordinator_model -- "$@"
mutants worker 'core/src/worker/*.rs' worker worker_model -- "$@"
exit "$missed"
