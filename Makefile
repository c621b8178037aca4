# Each target installs what it needs on a fresh Debian or Ubuntu machine with a Rust toolchain.
.DEFAULT_GOAL := help
.PHONY: help setup mongod build image demo test test-web test-cluster story cluster cluster-down bench lint prose deny ci nightly clean

CARGO ?= cargo
UPGRADE ?= clean
ORDERS ?= 200000

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what the build and the tests need
	@.ci/setup.sh

mongod: setup ## Fetch a real MongoDB server into the cache, unless there is one
	@.ci/mongod.sh

build: setup ## Build the taster binary with the standard probes in it
	$(CARGO) build --locked

image: ## Build the image taster:dev (IMAGE=, OUT=file.tar, BINARY= for one that is built, BASE_IMAGE=local without a registry)
	@IMAGE='$(IMAGE)' OUT='$(OUT)' BINARY='$(BINARY)' BUILD_IMAGE='$(BUILD_IMAGE)' BASE_IMAGE='$(BASE_IMAGE)' .ci/image.sh

demo: mongod ## Taste the barbecue shop before and after an upgrade (UPGRADE=lossy, ORDERS=1000)
	$(CARGO) run --locked --quiet -- demo --upgrade $(UPGRADE) --orders $(ORDERS)

test: mongod ## Run the tests of all crates and probes against real servers (FILTER=part of a test's name, JOBS=1)
	@.ci/tests.py $(and $(JOBS),--jobs $(JOBS)) $(FILTER)

test-web: mongod build ## Check the pages in a real browser, and the API with generated requests (Node; REQUESTS=10000)
	@.ci/web.sh
	@REQUESTS='$(REQUESTS)' .ci/api.sh

test-cluster: mongod ## Run the tests against a control plane, and play the hooks on a real node (KUBEBUILDER_ASSETS, KUBECONFIG, TIMES=2)
	@TIMES='$(or $(TIMES),1)' .ci/test-cluster.sh

story: mongod ## Play the whole story under a real Argo CD (TIMES=2; KEEP=folder for the report; BINARY= for one that is built)
	@KEEP='$(KEEP)' BINARY='$(BINARY)' .ci/story.sh $(or $(TIMES),1)

cluster: ## Start a real Kubernetes on this machine, print its kubeconfig and nothing else (Linux, root, Go; ARGOCD=1)
	@.ci/setup.sh >&2
	@ARGOCD='$(ARGOCD)' manifests/local/cluster.sh up

cluster-down: ## Remove that cluster and everything of it
	@manifests/local/cluster.sh down

bench: mongod ## Print the ratios against a plain driver loop (TASTER_BENCH_DOCUMENTS=100000)
	$(CARGO) bench --locked -p taster --bench ratios

lint: setup ## Check format, lints, documentation, scripts and the layers of the crates; warnings are errors
	@.ci/features.sh
	@.ci/rooms.py --self-test
	@.ci/rooms.py
	@.ci/shellcheck.sh
	$(CARGO) fmt --all --check
	$(CARGO) fmt --all --check --manifest-path probes/Cargo.toml
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets --manifest-path probes/Cargo.toml --target-dir target/probes-test -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps
	$(CARGO) test --locked --quiet --workspace --doc

prose: ## Links, words, spelling, old names, the book (Go)
	@.ci/prose.sh

deny: ## Check licences, sources and known vulnerabilities of every dependency
	@.ci/deny.sh

ci: ## Run what CI runs
	@bash .ci/run

nightly: mongod build ## Run in full what CI shortens, and the benchmarks; takes hours
	@.ci/nightly.sh

clean: ## Remove what was built
	$(CARGO) clean
