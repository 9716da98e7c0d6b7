#!/usr/bin/env bash
# Checks that quorate-core depends on nothing but the crates listed here: no async runtime, no network, no clock, no
# entropy. Review what a crate does before you add it.
set -euo pipefail
cd "$(dirname "$0")/.."

# Arithmetic, Unicode tables, a seeded generator, and derive macros for errors.
allowed='arrayvec num-traits ppv-lite86 proc-macro2 quorate-core quote rand_chacha rand_core
rust_decimal syn thiserror thiserror-impl tinyvec tinyvec_macros unicode-ident unicode-normalization zerocopy zerocopy-derive'

# --target all: what another platform would pull in counts as well.
used=$(cargo tree --locked --package quorate-core --edges normal --target all --prefix none --format '{p}' |
  awk '{print $1}' | sort -u)
unexpected=$(comm -23 <(echo "$used") <(tr -s ' \n' '\n' <<<"$allowed" | sort -u))
if [ -n "$unexpected" ]; then
  echo "quorate-core must stay pure, but depends on:" $unexpected >&2
  echo "Trace each with: cargo tree -p quorate-core -e normal -i CRATE" >&2
  exit 1
fi
echo "quorate-core depends on $(wc -l <<<"$used") crates, all of them allowed"
