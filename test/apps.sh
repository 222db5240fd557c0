#!/bin/bash
# Installs the applications of apps/testdata/apps that need packages, from the npm registry, to
# $NODEINIT_CACHE/apps/NAME-HASH, and builds those that have a build step. What is there already stays.
# Usage: test/apps.sh [NAME...]      all of them if none is named
#        test/apps.sh --path NAME    prints where NAME is, once installed
set -eu
cd "$(dirname "$0")/apps/testdata/apps"
cache=${NODEINIT_CACHE:-$HOME/.cache/nodeinit}/apps
recipe=1 # raise it when install does other things than before
# No network but the registry, now and later.
export NEXT_TELEMETRY_DISABLED=1 CI=1

# directory NAME: of its sources as they are now, so that a change makes another one.
directory() {
	local hash
	hash=$({ echo "$recipe $(uname -m)" && find "$1" -type f | LC_ALL=C sort | xargs sha256sum; } | sha256sum)
	echo "$cache/$1-${hash:0:12}"
}

# quietly COMMAND...: shows what it writes only if it fails.
quietly() {
	"$@" >"$tmp/$name.log" 2>&1 || {
		cat "$tmp/$name.log" >&2
		echo "apps: $name: $* failed; is there a way to the npm registry?" >&2
		return 1
	}
}

# install_app NAME DIRECTORY: whole or not at all; another process may have been faster.
install_app() {
	local name=$1
	echo "apps: $name"
	cp -r "$name" "$tmp/$name"
	# No package's own script runs: all that these need is in the packages themselves.
	quietly npm --prefix "$tmp/$name" ci --ignore-scripts --no-audit --no-fund --no-update-notifier
	quietly npm --prefix "$tmp/$name" run build --if-present
	mv -T "$tmp/$name" "$2" 2>/dev/null || [ -d "$2" ]
}

if [ "${1:-}" = --path ]; then
	found=$(directory "$2")
	[ -d "$found" ] || { echo "$2 is not installed; test/apps.sh does that" >&2; exit 1; }
	touch "$found"
	echo "$found"
	exit 0
fi

names=("$@")
[ $# != 0 ] || for file in */package.json; do names+=("${file%/*}"); done
missing=()
for name in "${names[@]}"; do
	[ -d "$(directory "$name")" ] || missing+=("$name")
done
[ ${#missing[@]} != 0 ] || exit 0

mkdir -p "$cache"
tmp=$(mktemp -d "$cache/.tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
installs=()
for name in "${missing[@]}"; do
	install_app "$name" "$(directory "$name")" &
	installs+=($!)
done
status=0
for pid in "${installs[@]}"; do wait "$pid" || status=1; done
# What has not been asked for in two weeks is of older sources.
find "$cache" -mindepth 1 -maxdepth 1 -mtime +14 -exec rm -rf {} +
exit $status
