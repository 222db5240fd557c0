# make run and make test do all set-up; the rest is for people who work on nodeinit.

# Without inlining, but for where each connection and each line of the program passes, the binary is 140 KB
# smaller, and with functions at multiples of 16 instead of 32 bytes 57 KB. Neither can be seen in page faults or in
# the time of a start.
SMALL = -gcflags=all=-l -gcflags=runtime/...= -gcflags=github.com/nodeinit/nodeinit/cluster= -gcflags=github.com/nodeinit/nodeinit/logs= -gcflags=bytes=
BUILD = CGO_ENABLED=0 go build -trimpath $(SMALL) -ldflags="-s -w -funcalign=16"
PORT ?= 3000
export PORT

SOURCES = go.mod go.sum $(shell find cmd admin config plan supervisor cluster node exec files signals reaper threads gomaxprocs cgroup httpget rawjson logs -name '*.go' ! -name '*_test.go' -o -name '*.txt')

.PHONY: run build test test-fast test-lines test-otel bench bench-cluster bench-operate bench-logs bench-control bench-metrics picture clean

run: build
	@echo "open http://localhost:$(PORT)/   (^C stops it)"
	@./bin/nodeinit -- node examples/server.js

build: bin/nodeinit

bin/nodeinit: $(SOURCES)
	@$(BUILD) -o $@ ./cmd/nodeinit

# Everything: needs root or the packages that test/setup.sh names.
test:
	@bash test/test.sh all

# Everything, on all seven versions of Node instead of four: before a release.
test-lines:
	@NODEINIT_TEST_LINES=all bash test/test.sh all

# What needs neither Docker nor QEMU.
test-fast:
	@bash test/test.sh fast

# The OpenTelemetry collector's file receiver: 190 MB of modules, three minutes to build.
test-otel:
	cd test/otel && go test -timeout 1h .

# The figures of docs/benchmarks.md. FLAGS='-before OLD' measures an earlier nodeinit beside this one;
# FLAGS=-help tells what else there is.
bench: build
	@bash bench/bench.sh init $(FLAGS)

bench-cluster: build
	@bash bench/bench.sh cluster $(FLAGS)

# A Go program to compare nodeinit's start with, built as nodeinit is.
bin/bare: bench/bare/main.go Makefile
	@$(BUILD) -o $@ ./bench/bare

# Requests that fail while workers are replaced.
bench-operate: build
	@bash bench/bench.sh operate $(FLAGS)

# What passes on log lines: speed, CPU, memory, and whether lines are torn or lost.
bench-logs: build
	@bash bench/bench.sh logs $(FLAGS)

# Requests over the control socket: what 100,000 leave in nodeinit, and how long they take under load.
bench-control: build
	@bash bench/bench.sh control $(FLAGS)

# Scrapes of /metrics: CPU time of each, what 100,000 leave in nodeinit; and what a CPU profile costs.
bench-metrics: build
	@bash bench/bench.sh metrics $(FLAGS)

# docs/top.svg and docs/grafana.svg, from containers under load.
picture: build
	@bash docs/top.sh
	@bash docs/grafana.sh

clean:
	rm -rf bin
