#!/usr/bin/env bash
# Applies every small change to the core that cargo-mutants knows, one at a time, and reports whether a test notices.
#
# Each part runs against its own tests only. That is faster than all tests, and no weaker: a mutant that only the tests
# of another part would notice counts as missed. Mutants that the quick tests miss are tried again with the model tests,
# which take longer to build. Arguments go to cargo-mutants, such as `--shard 0/8` for an eighth of all; with RESUME=1
# it continues where it was interrupted. docs/testing.md lists what survived, and why that is accepted.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo-mutants >/dev/null || cargo install --locked cargo-mutants

# Enough cases to notice most mutants, not to be sure of every one.
export PROPTEST_CASES=${PROPTEST_CASES:-300}
declare -A missed

# The name of a part of the core, its files, and the tests that it runs against: only these are built.
mutants() {
  local name=$1 files=$2 again=() tests=(--cargo-arg=--locked --cargo-arg=--lib)
  shift 2
  tests+=("${@/#/--cargo-arg=--test=}")
  local out=target/mutants/$name
  if [ "${RESUME:-0}" = 1 ] || [ -n "${missed[$name]:-}" ]; then again=(--iterate); else rm -rf "$out"; fi
  mkdir -p "$out"
  missed[$name]=0
  # Exit code 2 means missed mutants, 3 timeouts: the other parts run nevertheless.
  cargo mutants --package quorate-core --file "$files" --output "$out" --no-shuffle --jobs "${JOBS:-1}" \
    "${again[@]}" "${tests[@]}" "${arguments[@]}" || missed[$name]=$?
}

arguments=("$@")
aggregation=(aggregation_exactness aggregation_laws aggregation_vectors)
mutants aggregate 'core/src/aggregate/*.rs' "${aggregation[@]}"
mutants values 'core/src/*.rs' "${aggregation[@]}" coordinator
for machine in coordinator worker; do
  mutants "$machine" "core/src/$machine/*.rs" "$machine"
  if [ "${missed[$machine]}" != 0 ]; then mutants "$machine" "core/src/$machine/*.rs" "$machine" "${machine}_model"; fi
done
for status in "${missed[@]}"; do [ "$status" = 0 ] || exit "$status"; done
