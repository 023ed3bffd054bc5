# Every verb of the project. `make help` lists them; CI runs the same ones.
# One optimised profile for everything: RocksDB takes minutes to build and is built once.

export CARGO_TARGET_DIR ?= $(HOME)/.cache/jangbu/target
export CARGO_TERM_COLOR ?= never

.PHONY: help setup build demo test bench mutants sim chaos corpus fuzz lint deny

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## installs what a fresh Debian 12 lacks, and says what
	@scripts/setup

build: setup ## release binaries: jangbu, jangbu-node
	cargo build --release --locked -p jangbu -p jangbu-node

demo: build ## the whole path on real input, in under two minutes after the build
	@scripts/demo

sim: setup ## a thousand seeds of the simulator; SEEDS=… FROM=… VALIDATORS=4,7 WITHOUT=… TRACE=1
	JANGBU_SIM_SEEDS=$(or $(SEEDS),1000) JANGBU_SIM_FROM=$(or $(FROM),0) \
	  JANGBU_SIM_VALIDATORS=$(VALIDATORS) JANGBU_SIM_WITHOUT=$(WITHOUT) JANGBU_SIM_TRACE=$(TRACE) \
	  cargo test --release --locked --workspace --test sim_seeds -- --nocapture every_promise

test: build ## every test
	cargo test --release --locked --workspace

# BENCH is one of them: state_tree, bundle, ledger (which makes a ledger of a million links first).
bench: build ## what has to be fast, measured: make bench BENCH=state_tree
	cargo bench --profile release --locked -p jangbu-benches $(if $(BENCH),--bench $(BENCH))

# MINUTES, NODES (4 or 7), SEED and RATE (envelopes a second) may be set. As root; with OPTIONAL=1
# it is enough to say why where that is not permitted.
MINUTES ?= 2
chaos: build ## real processes, disturbed at random: make chaos MINUTES=120 NODES=7 SEED=1
	JANGBU_CHAOS_MINUTES=$(MINUTES) JANGBU_CHAOS_NODES=$(NODES) JANGBU_CHAOS_SEED=$(SEED) \
	JANGBU_CHAOS_RATE=$(RATE) JANGBU_CHAOS_OPTIONAL=$(OPTIONAL) \
	cargo test --release --locked --workspace --test chaos -- --nocapture

mutants: setup ## faults on purpose, one at a time: who notices each
	cargo test --release --locked --workspace --features jangbu-tests/mutants --test sim_mutants -- --nocapture

corpus: setup ## writes the inputs that fuzzing begins with, from vectors and the small ledger
	JANGBU_WRITE_CORPUS=1 cargo test --release --locked --workspace --test fuzz -- is_written

# SECONDS for each target, TARGET for one of them, SANITIZER=address to watch the libraries' memory.
fuzz: setup ## libFuzzer over each decoder: make fuzz SECONDS=60 TARGET=bundle
	@scripts/fuzz "$(or $(SECONDS),60)" "$(TARGET)"

lint: setup ## format, lints, documentation, spelling
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --workspace --no-deps
	@scripts/tool typos

deny: ## licences, sources and bans of the dependencies
	@scripts/tool cargo-deny
