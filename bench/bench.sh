#!/bin/bash
# Prints the figures of docs/benchmarks.md. Needs root and Debian's tini, dumb-init and catatonit.
# Usage: make bench
set -eu
cd "$(dirname "$0")/.."
go build -o bin/bench ./bench
exec ./bin/bench -nodeinit bin/nodeinit
