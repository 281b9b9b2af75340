# `make help` lists the targets. They need GNU make, bash and Go, and install the
# rest on Debian.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-print-directory
.DEFAULT_GOAL := help

# Tools are built from source at these versions, into ./bin.
GOLANGCI_LINT_VERSION := v2.15.0
XCADDY_VERSION        := v0.4.5

BIN           := $(CURDIR)/bin
GOLANGCI_LINT := $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION)
XCADDY        := $(BIN)/xcaddy-$(XCADDY_VERSION)

# How long each fuzz target runs.
FUZZTIME ?= 1m

# How long make soak injects faults, from which seed (0: a new one), into which
# topology (standalone, sentinel, cluster, or all in turn), and further flags.
DURATION ?= 10m
SEED     ?= 0
TOPOLOGY ?= all
SOAK     ?=

# The end-to-end tests that make test runs: without a browser, within minutes.
E2E_CORE := ./api ./rooms

# The modules of the repository.
MODULES := . bench web/build e2e

.PHONY: test
test: redis ## unit tests, stores on a real Redis and the core of the end-to-end tests, in under ten minutes on two cores
	go test -timeout 10m ./...
	cd bench && go test -timeout 5m ./...
	cd web/build && go test -timeout 5m ./...
	cd e2e && go test -p 1 -timeout 10m $(E2E_CORE)

.PHONY: check
check: packages $(XCADDY) ## everything else, in about half an hour: lint, race detector, browsers, attacks, faults, fuzzing
	@$(MAKE) verify
	@$(MAKE) lint
	@$(MAKE) race
	@$(MAKE) e2e
	@$(MAKE) fuzz FUZZTIME=10s

.PHONY: race
race: packages ## all Go tests with the race detector
	go test -race -timeout 20m ./...
	cd bench && go test -race -timeout 5m ./...

.PHONY: e2e
e2e: packages $(XCADDY) ## all end-to-end tests, against programs with the race detector
	cd e2e && PATH="$(BIN):$$PATH" go test -p 1 -race -timeout 30m ./...

.PHONY: soak
soak: packages ## injects faults for DURATION from SEED into TOPOLOGY, and checks that no message is lost or doubled
	cd e2e && go run ./cmd/soak -source .. -duration $(DURATION) -seed $(SEED) -topology $(TOPOLOGY) $(SOAK)

.PHONY: screenshots
screenshots: packages ## pictures of the page in all of its states, in ./bin/screenshots
	cd e2e && SCREENSHOTS="$(BIN)/screenshots" go test -count 1 -run '^TestPage(States|Bubble)$$' ./browser
	for name in start-light conversation-light conversation-dark conversation-light-phone bubble-open-light; do \
		cp "$(BIN)/screenshots/$$name.webp" docs/screenshots/; \
	done

.PHONY: verify
verify: ## checks that the modules compiled are those of go.sum
	for module in $(MODULES); do (cd $$module && go mod verify); done

.PHONY: licenses
licenses: ## the licenses of all that is compiled into Caddy
	go test -count 1 -v -run '^TestLicenses$$' .

.PHONY: lint
lint: $(GOLANGCI_LINT) ## static checks
	for module in $(MODULES); do (cd $$module && $(GOLANGCI_LINT) run ./...); done

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## formats the code
	$(GOLANGCI_LINT) fmt ./...

# -fuzzminimizetime: go test would spend a minute on shrinking each input that only
# adds coverage. "context deadline exceeded" without a failing input means that the
# time ended while a worker was busy.
.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (1m)
	@packages="$$(go list ./...)"; \
	for package in $$packages; do \
		listed="$$(go test -list '^Fuzz' "$$package")"; \
		for target in $$(grep '^Fuzz' <<<"$$listed" || true); do \
			echo "go test -fuzz $$target -fuzztime $(FUZZTIME) $$package"; \
			if output="$$(go test -run '^$$' -fuzz "^$$target\$$" -fuzztime "$(FUZZTIME)" -fuzzminimizetime 100x "$$package" 2>&1)"; then \
				tail -n 2 <<<"$$output"; \
			elif grep -q '^    context deadline exceeded$$' <<<"$$output" && ! grep -q 'Failing input' <<<"$$output"; then \
				echo "the time ended while an input was being tried"; \
			else \
				echo "$$output"; \
				exit 1; \
			fi; \
		done; \
	done

.PHONY: bench
bench: packages ## compares with the baselines, in about 5 minutes, and writes docs/performance.md
	cd bench && go run ./cmd/run -rounds 3 -duration 1500ms -write

.PHONY: bench-all
bench-all: packages ## compares with baselines and peers, and measures growth, in about an hour
	cd bench && go run ./cmd/run -all -rounds 7 -duration 4s -write

.PHONY: microbench
microbench: ## the Go benchmarks, with allocations
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: build
build: ## Caddy with this module, as ./bin/caddy
	go build -trimpath -o $(BIN)/caddy ./cmd/caddy

# install takes pairs of a command and the Debian packages that have it, and installs
# the packages of missing commands.
define install
	@missing=(); \
	need() { command -v $$1 >/dev/null || missing+=("$${@:2}"); }; \
	$(1) \
	if [[ $${#missing[@]} == 0 ]]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
		echo "Install with your system's package manager what Debian calls: $${missing[*]}" >&2; \
		exit 1; \
	fi; \
	as_root=(); \
	if [[ $$(id -u) != 0 ]]; then as_root=(sudo); fi; \
	"$${as_root[@]}" apt-get update; \
	"$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$${missing[@]}"
endef

.PHONY: redis
redis: ## installs the Redis server that make test needs
	$(call install,need redis-server redis-server;)

.PHONY: packages
packages: redis ## installs what make check needs: a C compiler for -race, Node.js, Chromium, fonts
	$(call install,need cc gcc libc6-dev; need node nodejs; need npm npm; need "chromium chromium-browser google-chrome google-chrome-stable" chromium fonts-liberation fonts-noto-color-emoji;)

$(GOLANGCI_LINT):
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(BIN)/golangci-lint $@

$(XCADDY):
	GOBIN=$(BIN) go install github.com/caddyserver/xcaddy/cmd/xcaddy@$(XCADDY_VERSION)
	cp $(BIN)/xcaddy $@

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
