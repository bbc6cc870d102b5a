# Everything here needs Go, make, git and bash; what a target needs beyond
# that, it says.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

FUZZTIME ?= 10s

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  \1|\2/' | \
		while IFS='|' read -r target text; do printf '%-18s %s\n' "$$target" "$$text"; done

.PHONY: build
build: ## compile and vet every module
	@scripts/modules.sh go build ./...
	@scripts/modules.sh go vet ./...

.PHONY: test
test: ## every module's tests, with -race where it can, and 10 s of each fuzz target
	@scripts/test.sh
	@scripts/fuzz.sh $(FUZZTIME)

.PHONY: short
short: ## the quick tests, without -race and fuzzing
	@scripts/modules.sh go test -short ./...

.PHONY: race
race: ## every module's tests under -race; needs a C compiler
	@RACE=require scripts/test.sh

.PHONY: lint
lint: ## golangci-lint, built from its pinned version, over every module
	@scripts/lint.sh

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (10s)
	@scripts/fuzz.sh $(FUZZTIME)

.PHONY: generate
generate: ## write all generated code again, without protoc
	@scripts/generate.sh

.PHONY: check-generate
check-generate: ## fail when generated code is stale
	@scripts/generate.sh --check

.PHONY: check-deps
check-deps: ## each module alone: tidy, build and vet with GOWORK=off; other platforms
	@scripts/check-deps.sh

.PHONY: hello
hello: ## generate, start the hello server, call it, stop it
	@scripts/hello.sh

.PHONY: interop
interop: ## grpc-go's interoperation tests, both ways, plain and TLS, and HTTP/2 faults
	@scripts/interop.sh

.PHONY: interop-python
interop-python: ## Python's grpcio against ours, both ways; needs python3 with venv
	@scripts/interop-python.sh

.PHONY: interop-peers
interop-peers: ## Python, Node, C++, Java and Rust against ours, both ways; LANGUAGES="node cpp" picks
	@scripts/interop-peers.sh $(LANGUAGES)

.PHONY: h2load
h2load: ## 100000 calls by nghttp2's h2load; needs h2load
	@scripts/h2load.sh

.PHONY: conformance
conformance: ## connectconformance against both our ends, gRPC over HTTP/2
	@scripts/conformance.sh

.PHONY: h2spec
h2spec: ## h2spec against our server, three times each way, and h2specd against our client
	@scripts/h2spec.sh

.PHONY: interop-tools
interop-tools: ## grpcurl, buf, ghz, grpc-health-probe, h2load and curl against our server; needs npm, h2load and curl
	@scripts/tools-interop.sh

.PHONY: bench
bench: ## every benchmark, beside other stacks, into docs/benchmarks; under 30 minutes
	@scripts/bench-full.sh

.PHONY: bench-quick
bench-quick: ## the gates of speed against grpc-go; about a minute
	@scripts/bench-quick.sh

.PHONY: conformance-report
conformance-report: ## run the outside suites, and write docs/conformance.md from what they say
	@scripts/conformance-report.sh

.PHONY: clean
clean: ## remove what the other targets leave in .tmp
	@if [ -d .tmp ]; then chmod -R u+w .tmp; rm -rf .tmp; fi
