#!/usr/bin/env bash
# Lets libFuzzer look for inputs that are handled wrongly: `fuzz.sh SECONDS [TARGET...]`, for this long on each target.
#
# Findings are printed, and kept under target/fuzz-artifacts. When one is fixed, put it into fuzz/regressions/TARGET/,
# named after what was wrong. The corpus grows under target/fuzz-corpus; the committed one under fuzz/corpus is not
# changed.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

seconds=$1
shift
all=$(sed -n 's/^name = "\([a-z_]*\)"$/\1/p' Cargo.toml)
rustup toolchain list | grep -q nightly || rustup toolchain install nightly --profile minimal
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz

# cargo fuzz has no --locked, so the lock file is checked against the manifests before it runs.
cargo +nightly fetch --quiet --locked

failed=
for target in ${*:-$all}; do
  corpus=../target/fuzz-corpus/$target artifacts=../target/fuzz-artifacts/$target/
  mkdir -p "$corpus" "$artifacts"
  # There is no unsafe code here for a sanitizer to watch. A sequence of steps takes many bytes, hence the length.
  cargo +nightly fuzz run --sanitizer none --target-dir ../target/fuzz "$target" "$corpus" "corpus/$target" -- \
    -max_total_time="$seconds" -max_len=8192 -timeout=20 -rss_limit_mb=2048 -artifact_prefix="$artifacts" \
    -print_final_stats=1 -verbosity=0 || failed="$failed $target"
done
[ -z "$failed" ] || { echo "found something wrong:$failed" >&2; exit 1; }
