# `make help` lists the targets. Needs GNU make, bash and Go; `make test`
# installs the rest on Debian.

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

.PHONY: test
test: packages ## everything that has to pass: lint, vet, all tests with -race, end-to-end tests, 10 s of each fuzz target
	@$(MAKE) verify
	@$(MAKE) lint
	go vet ./...
	go test -race -timeout 20m ./...
	cd bench && go vet ./... && go test -race -timeout 5m ./...
	@$(MAKE) e2e
	@$(MAKE) fuzz FUZZTIME=10s

.PHONY: e2e
e2e: packages $(XCADDY) ## the end-to-end tests, which are a module of their own
	cd e2e && go vet ./...
	cd e2e && PATH="$(BIN):$$PATH" go test -race -timeout 30m ./...

.PHONY: soak
soak: packages ## injects faults for DURATION (10m) from SEED into TOPOLOGY (all), and looks for messages lost or doubled
	cd e2e && go run ./cmd/soak -source .. -duration $(DURATION) -seed $(SEED) -topology $(TOPOLOGY) $(SOAK)

.PHONY: screenshots
screenshots: packages ## pictures of the page in all of its states, in ./bin/screenshots
	cd e2e && SCREENSHOTS="$(BIN)/screenshots" go test -count 1 -run '^TestPage(States|Bubble)$$' .
	for name in start-light conversation-light conversation-dark conversation-light-phone bubble-open-light; do \
		cp "$(BIN)/screenshots/$$name.webp" docs/screenshots/; \
	done

.PHONY: verify
verify: ## whether the modules that are compiled are those of go.sum
	go mod verify
	cd bench && go mod verify
	cd e2e && go mod verify

.PHONY: licenses
licenses: ## the licenses of all that is compiled into Caddy
	go test -count 1 -v -run '^TestLicenses$$' .

.PHONY: lint
lint: $(GOLANGCI_LINT) ## static checks
	$(GOLANGCI_LINT) run ./...
	cd e2e && $(GOLANGCI_LINT) run ./...
	cd bench && $(GOLANGCI_LINT) run ./...

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## formats the code
	$(GOLANGCI_LINT) fmt ./...

# An input that only finds something new is not worth being made small for a minute,
# which is what go test would take.
#
# When the time of go test -fuzz is over while it waits for a worker, it fails with
# "context deadline exceeded", although there is no input that fails.
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
				echo "the time was over while an input was being tried"; \
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

.PHONY: packages
packages: ## installs what the tests need from the system: a C compiler for -race, Redis, Node.js, Chromium
	@missing=(); \
	command -v cc           >/dev/null || missing+=(gcc libc6-dev); \
	command -v redis-server >/dev/null || missing+=(redis-server); \
	command -v node         >/dev/null || missing+=(nodejs); \
	command -v npm          >/dev/null || missing+=(npm); \
	command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null || missing+=(chromium fonts-liberation fonts-noto-color-emoji); \
	if [[ $${#missing[@]} == 0 ]]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
		echo "Please install with your system's package manager what Debian calls: $${missing[*]}" >&2; \
		exit 1; \
	fi; \
	as_root=(); \
	if [[ $$(id -u) != 0 ]]; then as_root=(sudo); fi; \
	"$${as_root[@]}" apt-get update; \
	"$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$${missing[@]}"

$(GOLANGCI_LINT):
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(BIN)/golangci-lint $@

$(XCADDY):
	GOBIN=$(BIN) go install github.com/caddyserver/xcaddy/cmd/xcaddy@$(XCADDY_VERSION)
	cp $(BIN)/xcaddy $@

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
