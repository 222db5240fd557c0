#!/bin/bash
# Fetches the Node versions that the tests of per-core mode run on, from the npm registry, to
# $NODEINIT_CACHE/nodes/VERSION/bin/node. What is there already stays.
# Usage: test/nodes.sh [VERSION...]
set -eu
cache=${NODEINIT_CACHE:-$HOME/.cache/nodeinit}/nodes

# The newest of each line, and the first of two lines: cluster's keys changed within them.
# 18.17.1 takes no agent, and only the test of that uses it.
versions=(18.17.1 18.20.8 20.20.2 22.0.0 22.23.3 24.0.0 24.21.0 26.10.0)
[ $# = 0 ] || versions=("$@")

case $(uname -m) in
x86_64) arch=x64 ;;
aarch64) arch=arm64 ;;
*) echo "nodes: the npm registry has no Node for $(uname -m)" >&2; exit 1 ;;
esac

missing=()
for version in "${versions[@]}"; do
	[ -x "$cache/$version/bin/node" ] || missing+=("$version")
done
[ ${#missing[@]} != 0 ] || exit 0

mkdir -p "$cache"
tmp=$(mktemp -d "$cache/.tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# fetch VERSION: whole or not at all; another process may have been faster.
fetch() {
	local version=$1 package=node-linux-$arch-$1.tgz
	echo "nodes: $version"
	(cd "$tmp" && npm pack --loglevel error "node-linux-$arch@$version") >"$tmp/$version.log" 2>&1 || {
		cat "$tmp/$version.log" >&2
		echo "nodes: npm cannot fetch node-linux-$arch@$version; is there a way to the registry ($(npm config get registry 2>/dev/null))?" >&2
		return 1
	}
	mkdir -p "$tmp/$version"
	tar -xzf "$tmp/$package" -C "$tmp/$version" --strip-components=1 package/bin/node
	chmod 755 "$tmp/$version"
	[ "$("$tmp/$version/bin/node" --version)" = "v$version" ] || {
		echo "nodes: node-linux-$arch@$version does not run here" >&2
		return 1
	}
	mv -T "$tmp/$version" "$cache/$version" 2>/dev/null || [ -x "$cache/$version/bin/node" ]
}

fetches=()
for version in "${missing[@]}"; do
	fetch "$version" &
	fetches+=($!)
done
status=0
for pid in "${fetches[@]}"; do wait "$pid" || status=1; done
exit $status
