# `make demo` shows it, `make test` tests it, `make lint` checks its style.
.PHONY: demo test lint nats-server bench-floor

demo:
	cargo run --release -- demo

# Some tests run against a real NATS server, which nats-server gets if there is none.
test: nats-server
	cargo test --workspace

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
	scripts/check-core-purity.sh
	scripts/check-biased-select.sh

nats-server:
	@scripts/nats-server.sh

# The coordinator against the leanest program that does the same; docs/performance.md has the table.
bench-floor: nats-server
	cargo build --release --workspace
	scripts/bench-floor.py
