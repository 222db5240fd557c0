#!/bin/bash
# Runs the checks and tests. Usage: test/test.sh fast|all
#   fast  what needs neither Docker nor QEMU nor packages of Debian: under a minute
#   all   everything; test/setup.sh brings what is missing
set -eu
cd "$(dirname "$0")/.."
mode=${1:-all}
tags="-tags nethttpomithttp2"

# Tests that need an engine, a virtual machine or other inits are called so.
heavy='^Test(Docker|Compose|VM|Peer)'

step() { printf '\n== %s\n' "$*"; }

[ "$mode" = fast ] || { step "setup"; bash test/setup.sh; bash test/images.sh; }

step "gofmt, go vet, staticcheck"
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "gofmt these: $unformatted"; exit 1; }
(cd test && go build -o ../bin/ honnef.co/go/tools/cmd/staticcheck golang.org/x/vuln/cmd/govulncheck)
for module in . test; do
	(cd $module && go vet $tags ./... && "$OLDPWD/bin/staticcheck" $tags ./...)
done

# The race detector needs a C compiler; test/setup.sh brings one.
race=
command -v gcc >/dev/null && race=-race

step "packages"
go test $tags $race ./...

step "processes"
(cd test && go test $race -count=1 -skip "$heavy" ./...)
[ "$mode" != fast ] || exit 0

step "other inits, containers and virtual machines"
(cd test && go test -count=1 -timeout 20m -run "$heavy" ./...)

step "known vulnerabilities"
if ! report=$(bin/govulncheck $tags ./... 2>&1); then
	case $report in
	*"fetching vulnerabilities"*) echo "the database is out of reach from here: not checked" ;;
	*) echo "$report"; exit 1 ;;
	esac
fi
