#!/usr/bin/env bash
# Changes the core in every small way that cargo-mutants knows, one at a time, and sees whether a test notices.
#
# Each part is held to its own tests, which is faster than all and no weaker: what only the tests of another part would
# notice counts as missed. What the quick tests miss is tried again beside the model, which takes longer to build.
# Arguments go to cargo-mutants, such as `--shard 0/8` for an eighth of all; with RESUME=1 it goes on where it was
# interrupted. What survived, and why that is accepted, is in docs/testing.md.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo-mutants >/dev/null || cargo install --locked cargo-mutants

# Enough cases to notice what is wrong, and not to be sure that nothing is.
export PROPTEST_CASES=${PROPTEST_CASES:-300}
declare -A missed

# A part of the core, where it is, and the tests that it is held to: only these are built.
mutants() {
  local name=$1 files=$2 again=() tests=(--cargo-arg=--locked --cargo-arg=--lib)
  shift 2
  tests+=("${@/#/--cargo-arg=--test=}")
  local out=target/mutants/$name
  if [ "${RESUME:-0}" = 1 ] || [ -n "${missed[$name]:-}" ]; then again=(--iterate); else rm -rf "$out"; fi
  mkdir -p "$out"
  missed[$name]=0
  # Missed mutants are exit code 2, those that never end 3: the others are looked at, too.
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
