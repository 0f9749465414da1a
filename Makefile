# Everything is done from here, and .ci/run calls nothing else. "make" alone
# lists the targets. Building, running and testing need Go, make and git; the
# targets test-kafka and test-postgres say what more they want.

SHELL := /usr/bin/env bash -euo pipefail
.DEFAULT_GOAL := help

TOOLS := $(CURDIR)/.tmp/bin
export PATH := $(TOOLS):$(PATH)

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION)

# Shared test data, if there is any: an absolute path, since tests run in the
# folders of their packages.
ifdef RAILHEAD_SHARED
export RAILHEAD_SHARED := $(abspath $(RAILHEAD_SHARED))
endif

# plugins/ams/bank becomes bin/connectors/ams-bank.wasm.
CONNECTORS := $(patsubst plugins/%/,%,$(dir $(wildcard plugins/*/*/manifest.json)))

TESTCOUNT := go run ./tools/testcount $(if $(TALLY),-tally $(TALLY))

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ------------------------------------------------------------ build and run

.PHONY: build
build: bin/railhead connectors ## build bin/railhead and bin/connectors/*.wasm

.PHONY: bin/railhead
bin/railhead:
	go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/railhead

.PHONY: connectors
connectors: bin/railhead ## compile the first-party connectors to WebAssembly
	@for c in $(CONNECTORS); do \
	  bin/railhead connector build plugins/$$c -o bin/connectors/$${c/\//-}.wasm || exit 1; \
	done
	@bin/railhead connector build examples/bench/connector -o bin/connectors/bench.wasm

.PHONY: run
run: build ## start everything on this machine, send one transfer, stay up
	bin/railhead dev

.PHONY: demo
demo: build ## the same, but exit when the transfer is verified
	bin/railhead dev --demo-once

.PHONY: install
install: ## install railhead where go install puts binaries
	go install -trimpath -ldflags '$(LDFLAGS)' ./cmd/railhead

# -------------------------------------------------------------------- tests

.PHONY: test
test: vet ## vet and test everything that needs Go alone; ends with the count of skips
	@$(if $(RAILHEAD_SHARED),test -d '$(RAILHEAD_SHARED)' || { echo 'RAILHEAD_SHARED=$(RAILHEAD_SHARED) is no folder' >&2; exit 1; })
	go test -json ./... | $(TESTCOUNT)

.PHONY: vet
vet:
	go vet ./...

.PHONY: race
race: ## test under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -json ./... | $(TESTCOUNT)

.PHONY: test-e2e
test-e2e: build ## real processes killed, paused and restarted
	go test -json -tags e2e -timeout 20m ./examples/e2e/... | $(TESTCOUNT)

.PHONY: test-kafka
test-kafka: build ## one transfer over a real Kafka (needs Java 17 and Maven)
	examples/e2e/kafka.sh go test -json -tags kafka -timeout 10m ./examples/e2e/... | $(TESTCOUNT)

.PHONY: test-postgres
test-postgres: build ## bank and opsd on PostgreSQL (needs Debian's postgresql)
	examples/e2e/postgres.sh go test -json -tags postgres -timeout 10m ./examples/bank/... ./opsd/... ./examples/e2e/... | $(TESTCOUNT)

.PHONY: tck
tck: ## score FEEL on the compatibility kit (needs RAILHEAD_SHARED)
	@test -n '$(RAILHEAD_SHARED)' || { echo 'make tck needs RAILHEAD_SHARED, the folder of shared test data' >&2; exit 1; }
	go test -count=1 -v -run '^TestCompatibilityKit$$' ./engine/feel

.PHONY: flows
flows: ## drive Payment Hub EE's and the MIWG's flows to every end event (needs RAILHEAD_SHARED; REWRITE=1 writes the table)
	@test -n '$(RAILHEAD_SHARED)' || { echo 'make flows needs RAILHEAD_SHARED, the folder of shared test data' >&2; exit 1; }
	go test -count=1 -v -run '^Test(PaymentHubFlows|ReferenceModels)$$' ./engine/enginetest/explore $(if $(REWRITE),-rewrite)

SEED ?= 1
SEEDS ?= 200
STEPS ?= 2500
ELEMENTS ?= 25
.PHONY: sim
sim: ## random flows and histories, and the second interpreter (SEED, SEEDS, STEPS, ELEMENTS)
	go test -count=1 -v -timeout 0 -run '^Test(Simulation|RandomFlows|Twin|RandomPayments)$$' ./engine ./core/replica \
	  -args -seed=$(SEED) -seeds=$(SEEDS) -steps=$(STEPS) -elements=$(ELEMENTS)

FUZZTIME ?= 10s
.PHONY: fuzz
fuzz: ## fuzz every parser for FUZZTIME each (10s)
	@for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' . | sort); do \
	  for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' $$f); do \
	    echo "$$name in $$(dirname $$f)"; \
	    go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$f); \
	  done; \
	done

WORKLOAD ?= one-task
NODES ?= 1
INGRESS ?= stream
DURATION ?= 10s
.PHONY: bench
bench: build ## payments per second of real processes, and latency at half of that (WORKLOAD, NODES, INGRESS, DURATION)
	bin/railhead bench --workload $(WORKLOAD) --nodes $(NODES) --ingress $(INGRESS) --duration $(DURATION) --half --json

IN_FLIGHT ?= 100000
.PHONY: bench-growth
bench-growth: build ## what payments that wait cost a node (IN_FLIGHT; a million take minutes)
	bin/railhead bench --in-flight $(IN_FLIGHT) --duration 5s --json

SWAPS ?= 100
ROLLBACKS ?= 20
.PHONY: bench-swap
bench-swap: build ## swap a connector under load: what is lost or done twice, and what latency does (SWAPS, ROLLBACKS, NODES, DURATION)
	bin/railhead bench --swaps $(SWAPS) --rollbacks $(ROLLBACKS) --nodes $(NODES) --duration $(DURATION) --json

CONNECTORS_BENCH ?=
.PHONY: bench-connectors
bench-connectors: ## a call of Go, Rust, C and TypeScript guests, what the sandbox promises, and Extism (CONNECTORS_BENCH=--json)
	@cd examples/bench/connectors/run && go run . $(CONNECTORS_BENCH)

.PHONY: first-connector
first-connector: bin/railhead ## make, build and test a new connector in each language whose toolchain is here; in CI in all
	examples/quickstart/first-connector.sh bin/railhead

# -------------------------------------------------------------- the sources

.PHONY: fmt
fmt: ## format Go and protobuf
	gofmt -w $(GODIRS)
	$(TOOLS)/buf format -w

GODIRS := $(sort $(foreach d,$(wildcard *),$(if $(shell find $(d) -name '*.go' -print -quit),$(d))))

.PHONY: lint
lint: lint-fmt lint-go lint-proto ## check format, Go and protobuf

.PHONY: lint-fmt
lint-fmt:
	@out=$$(gofmt -l $(GODIRS)); test -z "$$out" || { echo "not formatted (make fmt):"; echo "$$out"; exit 1; }

.PHONY: lint-go
lint-go: $(TOOLS)/golangci-lint
	golangci-lint run ./...

.PHONY: lint-proto
lint-proto: $(TOOLS)/buf
	buf lint

AGAINST ?= main
.PHONY: breaking
breaking: $(TOOLS)/buf ## refuse changes of contracts that break older users (AGAINST=main)
	buf breaking --against '.git#ref=$(AGAINST)'

.PHONY: generate
generate: $(TOOLS)/buf ## regenerate the contracts' Go code
	buf generate
	buf generate --template buf.gen.lite.yaml

.PHONY: checkgenerate
checkgenerate: generate ## fail if generated code is not what the contracts say
	@git diff --exit-code --stat -- '*.pb.go' '*.connect.go' || { echo 'generated code is stale: commit what "make generate" wrote'; exit 1; }

.PHONY: tidy
tidy: ## check that go.mod names what is used, no more
	go mod tidy -diff

# ------------------------------------------------------------ pinned tools
# The code generators are tools of go.mod; these two would drag its versions.

$(TOOLS)/buf: tools/buf/go.mod tools/buf/go.sum
	cd tools/buf && go build -o $@ github.com/bufbuild/buf/cmd/buf

$(TOOLS)/golangci-lint: tools/lint/go.mod tools/lint/go.sum
	cd tools/lint && go build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: clean
clean: ## remove what was built and what runs left behind
	rm -rf bin .tmp .railhead
