# vitrine: see README.md and CONTRIBUTING.md. Everything here needs Go, make and git only; what
# uses Chromium, node or npm says so aloud when they are not there, and is left out.

GO      ?= go
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X vitrine/cmd/server/internal/version.Commit=$(VERSION)
WASM    := GOOS=js GOARCH=wasm
ORACLE  := cmd/server/oracle
CUT     := cmd/server/powercut
CONFORM := cmd/server/conformance
FUZZTIME ?= 20s
VISITORS ?= 1:300
DATA    ?= build/run.etcd
FRESH   ?= $(shell printf %d 0x$$(git rev-parse HEAD 2>/dev/null | cut -c1-7 | grep . || echo 1))

plus = $(shell echo $$(($(FRESH) + $(1))))

.DEFAULT_GOAL := build
.PHONY: help lint lint-go lint-js tools vuln nightly build server sim page warm run cluster test vet unit seeds fresh-seeds soak mutants picture gallery stored mutation oracle browser visitors bars determinism race chaos powercut powercut-few conformance conformance-smoke nightly-seeds fuzz bench generate fmt clean

## help: the targets, one a line
help:
	@sed -n 's/^## \([a-z-]*\): /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  %-18s %s\n", $$1, $$2 }'

## build: bin/vitrine with the page inside, and bin/sim
build:
	$(MAKE) -j2 page warm
	$(MAKE) server sim

# While one core compresses the page, another compiles what the server needs
# besides it.
warm:
	$(GO) build -trimpath ./cmd/server/internal/... ./cmd/sim

## server: bin/vitrine only, with the page that was built last
server:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/vitrine ./cmd/server

## sim: bin/sim only
sim:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/sim ./cmd/sim

# -trimpath, so that the standard library is compiled for it and for the server at once.
## page: the browser's side, compiled and compressed into web/dist
page:
	$(GO) run -trimpath ./web/build

## run: a server on localhost:2379 with the page under /ui/
run: build
	@echo "etcd API:  localhost:2379    page:  http://localhost:2379/ui/"
	bin/vitrine --data-dir $(DATA)

## cluster: three members on 2379, 22379 and 32379
cluster: build
	$(GO) run ./cmd/cluster -bin bin/vitrine -dir build/cluster

## test: what every change must pass
test: vet unit seeds stored oracle powercut-few browser

## vet: go vet of all builds: server, tests with tags, js/wasm
vet:
	$(GO) vet ./...
	$(GO) vet -tags mutants,browser,bars ./core/... ./cmd/sim ./web/...
	$(WASM) $(GO) vet ./core/... ./wasm/... ./cmd/sim

## unit: the unit tests of all packages
unit:
	$(GO) test ./...

# The linters live in a module of their own (tools/go.mod), which the product does not depend on.
tools:
	cd tools && $(GO) build -o $(CURDIR)/build/tools/ honnef.co/go/tools/cmd/staticcheck

## lint: staticcheck on all builds and modules; eslint, prettier and types of web/js; ARCHITECTURE's imports
lint: lint-go lint-js

lint-go: tools
	$(GO) test ./core -run TestTableOfRooms -strict
	build/tools/staticcheck ./...
	build/tools/staticcheck -tags mutants,browser,bars ./core/mutant/... ./cmd/sim/... ./web/... ./wasm/...
	GOOS=js GOARCH=wasm build/tools/staticcheck ./wasm/... ./cmd/sim/...
	cd $(ORACLE) && $(CURDIR)/build/tools/staticcheck ./...
	cd $(CUT) && $(CURDIR)/build/tools/staticcheck ./...
	cd $(CONFORM) && $(CURDIR)/build/tools/staticcheck ./...

lint-js:
	@if command -v npm >/dev/null; then \
	  cd tools/js && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --silent; } && \
	  npm run --silent lint; \
	else echo "CANNOT LINT web/js: there is no npm on this machine"; fi

## vuln: known vulnerabilities in what is called; VULNDB=latest takes the newest reports
vuln:
	VULNDB=$(VULNDB) tools/vuln.sh

## seeds: 200 of them, in which every step of the driver must have been struck
seeds: sim
	bin/sim -seeds 1:200 -for 30s -members 3,5 -faults -q -strikes

## fresh-seeds: a minute of seeds that nobody has tried: the commit says where they begin
fresh-seeds: sim
	@echo "fresh seeds of $(VERSION); to try the same ones again: make fresh-seeds FRESH=$(FRESH)"
	bin/sim -seeds $(FRESH):$(call plus,399) -for 60s -members 1,3,4,5,7 -faults -q
	bin/sim -seeds $(FRESH):$(call plus,7) -for 600s -members 2,3,5,9 -faults -q
	bin/sim -seeds $(FRESH):$(call plus,7) -for 30s -members 3,5 -rate 1000 -q

## soak: seeds until stopped; every failure is kept in build/soak with its shrunk twin
soak: sim
	bin/sim -soak build/soak

# Each part goes on where it can: what fails is told at the end. FRESH as for fresh-seeds.
## nightly: all planted bugs, small changes, fuzzing, chaos, 20,000 fresh seeds, vulnerabilities; hours
nightly:
	@failed=; for part in vuln mutants mutation fuzz chaos powercut nightly-seeds; do \
	  printf '\n== make %s\n' $$part; $(MAKE) $$part || failed="$$failed $$part"; \
	done; [ -z "$$failed" ] || { echo "FAILED:$$failed"; exit 1; }

nightly-seeds: sim
	bin/sim -seeds $(FRESH):$(call plus,19999) -for 60s -members 1,3,4,5,7 -faults -q

## picture: what the page folds from events is what the simulator knows, at every moment of 200 seeds
picture:
	$(GO) test ./core/sim -run TestFoldIsTheWorld -picture-seeds 200 -timeout 30m

## gallery: renew the replays that the page shows, after a change of the core
gallery:
	$(GO) run -tags mutants -ldflags '$(LDFLAGS)' ./cmd/sim -gallery assets/replays

## mutants: every planted bug must be caught, by the right invariant, within its budget of seeds
mutants:
	$(GO) run -tags mutants ./cmd/sim -mutants

# Results are kept in build/mutation, so it can be stopped and goes on where it was.
## mutation: a sample of small changes of the core, judged by unit tests and by the simulator
mutation:
	$(GO) build -o build/mutation/mutation ./cmd/mutation
	nice build/mutation/mutation -md

## stored: one seed for each planted bug, kept because it is known to catch it
stored:
	$(GO) test -tags mutants ./core/mutant ./core/sim ./core/replay ./cmd/sim -run 'Mutant|TwoWorlds|Canary|Gallery|Shrink'
	$(GO) test -tags mutants ./wasm/world

## oracle: ours beside the real etcd: formats, etcdctl, clientv3, processes killed
oracle: server
	cd $(ORACLE) && VITRINE_BIN=$(CURDIR)/bin/vitrine $(GO) test -count=1 -parallel 4 ./...

## browser: the page in Chromium, which does not mind how well it is compressed
browser:
	$(GO) run -trimpath ./web/build -quality 4
	$(GO) test -count=1 -tags browser ./wasm/... ./web/...

# Half a minute for a few, an hour for all of them; VISITORS=17 is the seventeenth once more.
## visitors: 300 random visitors of the page with mouse, keys and fingers; axe-core on every view, theme, language and size
visitors:
	$(GO) run -trimpath ./web/build -quality 4
	$(GO) test -count=1 -tags browser -timeout 3h -run 'TestVisitors|TestAxe' ./web -args -visitors=$(VISITORS) -access.all

## bars: what the page costs: bytes, time to a running cluster, a frame, a second of the world, a pause
bars: page
	$(GO) test -count=1 -tags browser,bars -parallel 1 -v -run 'TestReadyTime|TestFrameTime|TestWorldSpeed|TestAPausedPageRests' ./web | grep -v '^=== '

## determinism: 50 seeds give the same hashes on this machine and in js/wasm
determinism: sim
	$(WASM) $(GO) build -trimpath -o build/sim.wasm ./cmd/sim
	bin/sim -seeds 1:50 -for 20s -members 5 -faults -hashes > build/hashes.native
	node --stack-size=8192 "$$($(GO) env GOROOT)/lib/wasm/wasm_exec_node.js" build/sim.wasm -seeds 1:50 -for 20s -members 5 -faults -hashes > build/hashes.wasm
	cmp build/hashes.native build/hashes.wasm
	@echo "determinism: 50 of 50 seeds have equal hashes on linux/$$($(GO) env GOARCH) and js/wasm"

## race: the tests of the parallel parts under the race detector
race:
	$(GO) test -race ./cmd/server/... ./core/backend/... ./core/mvcc/...

## chaos: 3 members, 20 times kill -9 of the leader under load, and again over TLS with leases and locks
chaos: server
	cd $(ORACLE) && VITRINE_BIN=$(CURDIR)/bin/vitrine VITRINE_CHAOS=20 $(GO) test -count=1 -v -timeout 20m -run TestLeaderKilled .

## powercut: the power of the real server cut 300 times and that of the real etcd 100 times, side by side
powercut: server
	cd $(CUT) && $(GO) build -o $(CURDIR)/build/etcd-powercut ./internal/etcd
	cd $(CUT) && VITRINE_BIN=$(CURDIR)/bin/vitrine POWERCUT_EVERY_CALL=1 $(GO) test -count=1 -timeout 20m -run TestTheCallsOfABirth ./internal/trial
	cd $(CUT) && $(GO) run . -vitrine $(CURDIR)/bin/vitrine -etcd $(CURDIR)/build/etcd-powercut -keep $(CURDIR)/build/powercut

## powercut-few: ten of them, and proof that they find what is wrong on purpose
powercut-few: server
	cd $(CUT) && $(GO) vet ./... && VITRINE_BIN=$(CURDIR)/bin/vitrine POWERCUT_KEEP=$(CURDIR)/build/powercut $(GO) test -count=1 ./...
	@cd $(CUT) && $(GO) run . || echo "POWER CUTS ARE LEFT OUT: only the model of the disk was tested"

# Both need root, unshare, iproute2 and curl, and say what is missing.
## conformance: etcd's own end-to-end tests, ours beside etcd's results; half an hour
conformance: server
	cd $(CONFORM) && $(GO) vet ./... && $(GO) test ./... && $(GO) run . -vitrine $(CURDIR)/bin/vitrine

## conformance-smoke: a selection of them; some three minutes
conformance-smoke: server
	cd $(CONFORM) && $(GO) vet ./... && $(GO) test ./... && $(GO) build -o $(CURDIR)/build/conformance/conformance .
	@cd $(CONFORM) && $(CURDIR)/build/conformance/conformance -vitrine $(CURDIR)/bin/vitrine -smoke || \
	  { [ $$? -eq 3 ] && echo "ETCD'S OWN TESTS ARE LEFT OUT: only what runs them was tested"; }

## bench: puts and gets against etcd in one run, as ratios; BENCH='-members 3 -tls -auth', BENCH='-leases 1000000', BENCH='-defrag 1073741824'
bench: server
	cd $(ORACLE) && VITRINE_BIN=$(CURDIR)/bin/vitrine $(GO) run ./bench $(BENCH)

## fuzz: every fuzz target for FUZZTIME each
fuzz:
	for p in $$($(GO) list ./core/... ./cmd/server/...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; done; done

## generate: all generated files
generate:
	$(GO) generate ./...

## fmt: gofmt all sources
fmt:
	gofmt -w assets core cmd wasm web
	@! command -v npm >/dev/null || { cd tools/js && npm ci --no-audit --no-fund --silent && npm run --silent format; }

## clean: remove what was built
clean:
	rm -rf bin build
	git clean -fdxq web/dist
