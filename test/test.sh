#!/bin/bash
# Runs the checks and tests. Usage: test/test.sh fast|all
#   fast  what needs neither Docker nor QEMU nor packages of Debian: under a minute
#   all   everything; test/setup.sh brings what is missing
set -eu
cd "$(dirname "$0")/.."
mode=${1:-all}

# The directories of test/ with tests, by what they need: the first two nothing but Go, Node and make.
directories="pid1 repo"
[ "$mode" = fast ] || directories="$directories cluster apps docker peers vm"

step() { printf '\n== %s\n' "$*"; }

# beside NAME COMMAND...: runs it while others go on. rejoin NAME shows what it wrote, and fails as it
# did. Each has a process group of its own, which ends with this script.
tmp=$(mktemp -d)
declare -A group=()
beside() {
	set -m
	"${@:2}" >"$tmp/$1" 2>&1 </dev/null &
	group[$1]=$!
	set +m
}
rejoin() {
	local status=0
	wait "${group[$1]}" || status=$?
	unset "group[$1]"
	cat "$tmp/$1"
	return $status
}
finish() {
	local pid
	for pid in "${group[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Limits only end a hang: ten minutes for what a test waits for (testproc.HangLimit), an hour for
# all tests of a package.
gotest() { go test -timeout 1h "$@"; }

# built: nodeinit and each test binary, once. What is tested is not in the test binaries, so that
# the race detector would find nothing there.
built() {
	make --silent build
	(cd test && go test -c -o ../bin/ $(printf './%s ' $directories))
}
built_tools() { (cd test && go build -o ../bin/ honnef.co/go/tools/cmd/staticcheck golang.org/x/vuln/cmd/govulncheck); }

# run DIRECTORY FLAG...: runs the tests of test/DIRECTORY on that nodeinit.
run() { (cd "test/$1" && "../../bin/$1.test" -bin ../../bin/nodeinit -test.timeout 1h "${@:2}"); }

# run_alone DIRECTORY FLAG...: in a network namespace of its own, without connection tracking: Docker
# has the kernel remember each of the host's connections for two minutes, and after 262,144 none can
# be made.
run_alone() {
	(cd "test/$1" && unshare --net sh -c 'ip link set lo up && exec "$@"' sh \
		"../../bin/$1.test" -bin ../../bin/nodeinit -test.timeout 1h "${@:2}")
}

# containers: what waits for Docker.
containers() {
	run docker
	(cd test && gotest ./deploy -bin ../../bin/nodeinit && gotest ./grafana/...)
}

# machines: what waits for QEMU, and the other inits.
machines() {
	run peers
	run vm
}

checked() {
	built_tools
	for module in . test; do (cd $module && go vet ./... && "$OLDPWD/bin/staticcheck" ./...); done
	for arch in arm64 arm 386; do GOARCH=$arch go build -o /dev/null ./cmd/nodeinit; done
	for arch in arm 386; do GOARCH=$arch go vet ./...; done # the tests too
	local report
	if ! report=$(bin/govulncheck ./... 2>&1); then
		case $report in
		*"fetching vulnerabilities"*) echo "govulncheck: its database is out of reach from here" ;;
		*) echo "$report"; return 1 ;;
		esac
	fi
}

unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "gofmt these: $unformatted"; exit 1; }

if [ "$mode" != fast ]; then
	step "setup"
	beside "applications" bash test/apps.sh
	bash test/setup.sh
	beside "Nodes" bash test/nodes.sh # Node 26 needs libatomic1, which comes with gcc
	bash test/images.sh
	rejoin "Nodes"
	rejoin "applications"
fi

# The race detector needs a C compiler; test/setup.sh brings one.
race=
command -v gcc >/dev/null && race=-race

step "packages"
gotest $race $(go list ./... | grep -v /bench)
gotest $race ./bench/... # it needs HTTP/2
[ -z "$race" ] || gotest ./supervisor # all seeds, of which the race detector sees a fifth

step "processes"
built
beside "repository" run repo
run pid1
rejoin "repository"
[ "$mode" != fast ] || exit 0

# Docker and QEMU are waited for much of the time, and share nothing with workers that have a
# network of their own. What they and the checks write comes below, when the workers are done.
beside "containers" containers
beside "machines" machines
beside "checks" checked

step "workers: Node lines"
run_alone cluster -test.parallel 6

step "workers: wrappers, frameworks, reported cases"
run_alone apps -test.parallel 6

step "workers: connections leave nothing behind"
run_alone cluster -test.run '^TestLeaksNothing$/_rr$' -connections 100000

step "containers"
rejoin "containers"

step "virtual machines, other inits"
rejoin "machines"

step "vet, staticcheck, other architectures, known vulnerabilities"
rejoin "checks"
