#!/bin/bash
# Runs the checks and tests. Usage: test/test.sh fast|all
#   fast  what needs neither Docker nor QEMU nor packages of Debian: under a minute
#   all   everything; test/setup.sh brings what is missing
set -eu
cd "$(dirname "$0")/.."
mode=${1:-all}
tags="-tags nethttpomithttp2"

# Limits only end a hang: ten minutes for what a test waits for (testproc.HangLimit), an hour for
# all tests of a package.
gotest() { go test -timeout 1h "$@"; }

# The tests of test/ that need nothing but Go, Node and make.
light='^Test(PID1|ImportOrder|Readme|MakeRun)'

step() { printf '\n== %s\n' "$*"; }

[ "$mode" = fast ] || { step "setup"; bash test/setup.sh; bash test/images.sh; bash test/nodes.sh; bash test/apps.sh; }

unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "gofmt these: $unformatted"; exit 1; }

# The race detector needs a C compiler; test/setup.sh brings one.
race=
command -v gcc >/dev/null && race=-race

step "packages"
gotest $tags $race $(go list ./... | grep -v /bench)
gotest $race ./bench # it needs HTTP/2

step "processes"
(cd test && gotest $race -count=1 -run "$light" .)
[ "$mode" != fast ] || exit 0

# Those of per-core mode wait for processes more than they compute.
cluster='^Test(Cluster|Wrappers|Apps)'

# In a network of its own, where nobody tracks connections: Docker has the kernel remember each of
# the host's for two minutes, and after 262,144 none can be made.
alone() { unshare --net sh -c 'ip link set lo up && exec "$@"' sh go test -timeout 1h "$@"; }

step "workers: Node lines, wrappers, frameworks"
(cd test && alone -count=1 -parallel 6 -run "$cluster" .)

step "workers: a million connections leave nothing behind"
(cd test && alone -count=1 -run '^TestClusterLeaksNothing$/_rr$' -connections 1000000 .)

step "containers, virtual machines, other inits"
(cd test && gotest -count=1 -skip "$light|$cluster" ./...)

step "vet, staticcheck, other architectures, known vulnerabilities"
(cd test && go build -o ../bin/ honnef.co/go/tools/cmd/staticcheck golang.org/x/vuln/cmd/govulncheck)
for module in . test; do (cd $module && go vet $tags ./... && "$OLDPWD/bin/staticcheck" $tags ./...); done
for arch in arm64 arm 386; do GOARCH=$arch go build $tags -o /dev/null ./cmd/nodeinit; done
for arch in arm 386; do GOARCH=$arch go vet $tags ./...; done # the tests too
if ! report=$(bin/govulncheck $tags ./... 2>&1); then
	case $report in
	*"fetching vulnerabilities"*) echo "govulncheck: its database is out of reach from here" ;;
	*) echo "$report"; exit 1 ;;
	esac
fi
