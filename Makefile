# Small Talk. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO        ?= go
FUZZTIME  ?= 30s
BENCHTIME ?= 1s
# For example --realtime on a machine that has other work.
RELAYFLAGS ?=
CHURNFLAGS ?=
LINT_VERSION := v2.15.0
NODE_MODULES := web/node_modules/.package-lock.json
# What it is to build on besides this machine.
VET_SYSTEMS := darwin/amd64 windows/amd64 freebsd/amd64 linux/386 linux/arm64

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: build
build: ## Build bin/smalltalk (needs Go only: the built web client is committed)
	$(GO) build -trimpath -o bin/smalltalk ./cmd/smalltalk

.PHONY: run
run: build ## Build and serve on http://localhost:8080
	./bin/smalltalk

.PHONY: test
test: race web-test ## All quick tests: Go with the race detector, the web client's, the SDK on real libwebrtc

.PHONY: race
race: ## Go tests with the race detector
	@.ci/need go cc
	$(GO) vet ./...
	$(GO) test -race -timeout 10m ./...
	$(GO) test -race -timeout 10m ./sfu -args -plane=pion

.PHONY: web-test
web-test: $(NODE_MODULES) build ## Type checks and tests of the web workspaces; web/dist must match its sources
	npm run check --prefix web
	SMALLTALK_BIN=$(CURDIR)/bin/smalltalk npm test --prefix web
	npm run build --prefix web
	@git diff --exit-code --stat -- web/dist || { echo "web/dist does not match its sources: run 'make web' and commit the result"; exit 1; }
	@test -z "$$(git ls-files --others --exclude-standard -- web/dist)" || { echo "web/dist has files that are not committed: run 'make web' and commit the result"; exit 1; }

.PHONY: web
web: $(NODE_MODULES) ## Build the web client into web/dist
	npm run build --prefix web

$(NODE_MODULES): web/package-lock.json
	@.ci/need node
	npm ci --prefix web
	@touch $@

.PHONY: lint
lint: .tools/golangci-lint-$(LINT_VERSION) ## golangci-lint and gofmt
	@test -z "$$(gofmt -l cmd matchmaker sfu signaling store web/*.go)" || { echo "not gofmt-ed:"; gofmt -l cmd matchmaker sfu signaling store web/*.go; exit 1; }
	$< run ./...

.PHONY: vet-all
vet-all: ## go vet of everything, tests too, for the other systems (minutes at first, then seconds)
	@for system in $(VET_SYSTEMS); do \
	  echo "== $$system"; CGO_ENABLED=0 GOOS=$${system%/*} GOARCH=$${system#*/} $(GO) vet ./...; \
	done

.tools/golangci-lint-$(LINT_VERSION):
	@mkdir -p .tools
	GOBIN=$(CURDIR)/.tools $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv .tools/golangci-lint $@

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME (30s)
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$pkg; \
	  done; \
	done

.PHONY: e2e
e2e: $(NODE_MODULES) build ## Journeys through the real server in real Chromium; screenshots in web/e2e/out
	@.ci/need chromium
	SMALLTALK_BIN=$(CURDIR)/bin/smalltalk npm run e2e --prefix web/e2e
	SMALLTALK_MEDIA_PLANE=pion SMALLTALK_BIN=$(CURDIR)/bin/smalltalk npm run e2e --prefix web/e2e

.PHONY: bench
bench: bench-relay bench-go ## Everything that is measured without browsers (7 minutes; Linux)

.PHONY: bench-relay
bench-relay: ## The media plane beside other relays in one run: 50 pairs, 150 pairs, idle clients; JSON in bin (coturn joins in where it is installed)
	$(GO) build -trimpath -o bin/loadtest ./cmd/loadtest
	./bin/loadtest relay --json bin/relay-50.json $(RELAYFLAGS)
	./bin/loadtest relay --pairs 150 --repeat 1 --json bin/relay-150.json $(RELAYFLAGS)
	./bin/loadtest relay --idle 300 --json bin/relay-idle.json

.PHONY: bench-go
bench-go: ## Go benchmarks of the packet path and of matching, with allocations
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./sfu/... ./matchmaker/...

.PHONY: bench-churn
bench-churn: ## 10,000 WebSocket clients who join, are matched, press Next and leave: how soon they hear of a match (1 minute; Linux); JSON in bin
	$(GO) build -trimpath -o bin/loadtest ./cmd/loadtest
	./bin/loadtest match --json bin/churn.json $(CHURNFLAGS)

.PHONY: bench-match
bench-match: ## The matching decision with up to a million people in line: times, memory, worst cases; one table (a minute)
	$(GO) test -run '^TestBenchTable$$' -v -count 1 -timeout 30m ./matchmaker -args -tables

.PHONY: simulate
simulate: ## A day of a small and of a large server in virtual time: waits, repeats, skips; one table
	$(GO) test -run '^TestSimulation$$' -v -count 1 -timeout 60m ./matchmaker -args -tables

.PHONY: bench-next
bench-next: $(NODE_MODULES) build ## Time from a match to the new partner's picture, beside a fresh connection per partner
	@.ci/need chromium
	SMALLTALK_BIN=$(CURDIR)/bin/smalltalk npm run bench-next --prefix web/e2e
	SMALLTALK_MEDIA_PLANE=pion SMALLTALK_BIN=$(CURDIR)/bin/smalltalk npm run bench-next --prefix web/e2e

.PHONY: rewire
rewire: $(NODE_MODULES) build ## Twenty times Next among Chromium, Firefox and libwebrtc of unlike codecs, and lip sync, on both planes (a quarter of an hour); table and JSON in web/e2e/out
	@.ci/need chromium firefox pulseaudio
	SMALLTALK_BIN=$(CURDIR)/bin/smalltalk npm run rewire --prefix web/e2e

.PHONY: netlab
netlab: $(NODE_MODULES) build ## Two browsers behind NATs, firewalls and a proxy (root, Linux); table and JSON in web/e2e/out
	@.ci/need chromium firefox ip nft conntrack sysctl openssl
	SMALLTALK_BIN=$(CURDIR)/bin/smalltalk npm run netlab --prefix web/e2e

.PHONY: netlab-pion
netlab-pion: ## The same on the media plane by way of the library
	SMALLTALK_MEDIA_PLANE=pion $(MAKE) netlab

# make quality QUALITY='--only loss5,cut-down --seconds 30 --calls 1'
.PHONY: quality
quality: $(NODE_MODULES) build ## Calls on lossy, long and narrow links beside direct ones (root, Linux, 2 h); QUALITY= takes its flags
	@.ci/need chromium ip tc nft conntrack sysctl openssl
	@.ci/need turnserver || echo 'calls over coturn are left out'
	SMALLTALK_BIN=$(CURDIR)/bin/smalltalk npm run quality --prefix web/e2e -- $(QUALITY)

.PHONY: ci
ci: test lint vet-all e2e bench-next ## What continuous integration runs

.PHONY: clean
clean: ## Remove what the targets made (not the data folder)
	rm -rf bin .tools web/node_modules web/e2e/out
