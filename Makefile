# `make demo` shows it, `make test` tests it, `make lint` checks its style.
#
# Everything is built with --locked: the tested versions are those of Cargo.lock, and no build changes it.
.PHONY: demo test lint deny msrv nats-server chromium node curl bench-baseline sim sim-short sim-speed planted-bugs fuzz mutants bench soak chaos bench-feeds bench-store openapi images first-price screenshots

MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"$$/\1/p' Cargo.toml)

demo:
	cargo run --release --locked -- demo

# Some tests need a real NATS server, a real browser, Node and curl, which are installed if they are missing.
test: nats-server chromium node curl
	PATH="$(CURDIR)/target/node-path:$$PATH" cargo test --workspace --locked

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
	scripts/check-core-purity.sh
	scripts/check-biased-select.sh
	scripts/check-deploy.sh

# Checks the dependencies against deny.toml. What cannot be checked without a network is skipped; ALL=1 makes that a
# failure.
deny:
	@scripts/deny.sh $(if $(ALL),--all)

# Builds everything but the tests with the oldest compiler that Cargo.toml promises, which rustup installs.
msrv:
	rustup run $(MSRV) cargo --version || rustup toolchain install $(MSRV) --profile minimal
	cargo +$(MSRV) check --workspace --locked

nats-server:
	@scripts/nats-server.sh

chromium:
	@scripts/chromium.sh

node:
	@scripts/node.sh

curl:
	@scripts/curl.sh

# Whole deployments against the leanest programs that do the same; docs/performance.md has the table.
bench-baseline: nats-server
	cargo build --profile dist --locked -p quorate -p quorate-baseline
	scripts/bench-baseline.py

# Runs seeds on a simulated network, on the state machines alone, and over a simulated store, or only one of them if
# DEPTH names it. `make sim SEEDS=0..500 DEPTH=machines` runs other seeds. A failure is reported with the command that
# replays it.
sim:
	cargo build --release --locked -p quorate-sim
ifeq ($(filter-out network,$(DEPTH)),)
	target/release/quorate-sim sweep --depth network --seeds $(or $(SEEDS),0..1000)
endif
ifeq ($(filter-out machines,$(DEPTH)),)
	target/release/quorate-sim sweep --depth machines --seeds $(or $(SEEDS),0..100000)
endif
ifeq ($(filter-out store,$(DEPTH)),)
	target/release/quorate-sim sweep --depth store --seeds $(or $(SEEDS),0..5000)
endif

# The part of `make sim` that every change runs after the tests, with the binary that they built: by itself, the package
# would be built once more, with other features.
sim-short:
	cargo test --quiet --workspace --locked --no-run
	$(or $(CARGO_TARGET_DIR),target)/debug/quorate-sim sweep --depth machines --seeds 0..30000 --require-coverage
	$(or $(CARGO_TARGET_DIR),target)/debug/quorate-sim sweep --depth store --seeds 0..300 --require-coverage

# Both depths next to a bare simulation of the same size; docs/performance.md has the table.
sim-speed:
	cargo run --release --locked -p quorate-sim -- speed

# Plants bugs in a copy of the sources, one at a time, and reports how many seeds the simulation needs to find each, or
# which test finds it.
planted-bugs:
	scripts/planted-bugs.py

# Lets libFuzzer look for inputs that are handled wrongly, for FUZZ_SECONDS on each target. Needs nightly and
# cargo-fuzz, which it installs. The tests replay the committed part of its corpus.
fuzz:
	scripts/fuzz.sh $(or $(FUZZ_SECONDS),60)

# Applies every small change to the core, one at a time, and reports those that no test notices: hours on two cores.
mutants:
	scripts/mutants.sh

# The cost of the aggregation, the wire format and the coordinator's machine; docs/performance.md has the tables.
bench:
	cargo bench --locked -p quorate-benches

# Two hundred slow readers of events during a thousand requests a second; docs/performance.md has the figures.
soak: nats-server
	cargo test --release --locked -p quorate --test processes followers:: -- --include-ignored --nocapture --test-threads 1

# How fast the last report of a feed is served, and what a thousand feeds cost; docs/performance.md has the figures. Needs wrk.
bench-feeds: nats-server
	cargo build --profile dist --locked -p quorate -p quorate-baseline
	scripts/bench-feeds.py

# How long the operations of a store on JetStream take, on one server and on three; docs/performance.md has the figures.
bench-store: nats-server
	cargo test --locked -p quorate-runtime --test store_contract -- --ignored --nocapture --test-threads 1 how_long

# Kills, pauses and restarts every process of a replicated deployment in turn, for ten minutes; then 1,000 durable requests
# while a coordinator is killed every second. docs/performance.md has the figures.
chaos: nats-server
	cargo build --release --locked -p quorate
	PATH="$(CURDIR)/target/nats-server/bin:$$PATH" scripts/chaos.py
	cargo test --locked -p quorate --test processes -- --ignored durable::

# Builds the image of each program and runs it, then what deploy/compose.yaml says, with docker, podman or buildah. On a
# machine that reaches no registry of images, STAND_IN=1 builds on images made from Debian's packages.
images:
	scripts/images.py

# Does what the README tells a newcomer, from a fresh clone to a Python script with a price in it, and times it.
first-price:
	scripts/first-price.py

# Renews docs/openapi.json, the copy of what GET /openapi.json serves, the schemas of its bodies in docs/schemas, and the
# types of the client in TypeScript; tests compare them.
openapi: node
	QUORATE_RENEW_OPENAPI=1 cargo test --locked -p quorate-runtime --lib -- http::openapi::tests::the_copy http::openapi::tests::the_copies
	cd clients/typescript && npm ci --ignore-scripts --no-audit --no-fund && npm run generate

# Renews the pictures of the README: what the dashboard shows of a running `quorate dev`.
screenshots: chromium
	cargo test --locked -p quorate --test processes -- --ignored --exact dashboard::pictures::renew_the_pictures_of_the_readme
