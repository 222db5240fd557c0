#!/bin/bash
# Prints the figures of docs/benchmarks.md as Markdown. Needs root, because the programs run in PID
# or network namespaces of their own.
# Usage: bench/bench.sh [init|cluster|rr|agent|operate|heap|logs|control|metrics] [FLAG...]
#   init     start, memory and signals, against plain Node, tini, dumb-init and catatonit (Debian's)
#   cluster  per-core mode against node:cluster and PM2 (npm's): all figures, a quarter of an hour
#   rr       the hand-over of connections only, under a minute
#   agent    requests/s and CPU time of a request with the agent and without, five minutes
#   operate  requests that fail while workers are replaced, with Docker: "operate -help" tells more
#   heap     whether V8 or the kernel ends a leak: "heap -help" tells more
#   logs     what passes on log lines, against PM2, pino-pretty, s6-log, multilog and svlogd: "logs -help"
#   control  what requests over the control socket leave and how long they take: "control -help" tells more
#   metrics  what scrapes cost and leave, and what a CPU profile costs: "metrics -help" tells more
# Flags of init, cluster, rr and agent: -rounds N; -only REGEXP, the rows to measure; -measure REGEXP, the
# measures: start to end, first output, signal, resident, first answer, orphans (init, ten minutes in
# all), load, first answer, spread, blocked (cluster); -before OTHER, an earlier nodeinit in the same rounds.
# NODEINIT is the binary to measure (bin/nodeinit), NODE_VERSION the Node of cluster, rr and agent, and of
# init's servers.
set -eu
cd "$(dirname "$0")/.."
nodeinit=${NODEINIT:-bin/nodeinit}
node_version=${NODE_VERSION:-24.21.0}
export NODE_VERSION=$node_version # Node's images set it, and nodeinit need not look for it elsewhere
pm2_version=7.0.4
pretty_version=13.2.0
cache=${NODEINIT_CACHE:-$HOME/.cache/nodeinit}
what=${1:-init}
[ $# = 0 ] || shift

# install PACKAGE VERSION: into $cache/PACKAGE-VERSION, whole or not at all.
install() {
	[ ! -d "$cache/$1-$2" ] || return 0
	echo "bench: npm install $1@$2" >&2
	mkdir -p "$cache"
	local tmp
	tmp=$(mktemp -d "$cache/.$1.XXXXXX")
	npm install --prefix "$tmp" --ignore-scripts --no-audit --no-fund --loglevel error "$1@$2" >&2
	mv -T "$tmp" "$cache/$1-$2"
}
install_pm2() { install pm2 "$pm2_version"; }

# install_loggers: Debian's s6-log, multilog and svlogd.
install_loggers() {
	local missing=()
	command -v s6-log >/dev/null || missing+=(s6)
	command -v multilog >/dev/null || missing+=(daemontools)
	command -v svlogd >/dev/null || missing+=(runit)
	[ ${#missing[@]} = 0 ] || {
		apt-get -o DPkg::Lock::Timeout=300 -q update
		DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qy install --no-install-recommends "${missing[@]}"
	} >&2
}

# install_for_operate: the tools, a Docker engine, its images, the Nodes and the applications.
install_for_operate() {
	{
		bash test/setup.sh
		command -v ss >/dev/null || apt-get -o DPkg::Lock::Timeout=300 -qy install --no-install-recommends iproute2
		bash test/images.sh
		bash test/nodes.sh
		bash test/apps.sh express5 fastify
		install_pm2
	} >&2
}

case "$what $* " in
init*" -h "* | init*"-help "* | cluster*" -h "* | cluster*"-help "* | rr*" -h "* | rr*"-help "* | agent*" -h "* | agent*"-help "*)
	sed -n '2,/^set -eu/{/^set/d;s/^# \?//p}' bench/bench.sh
	exit
	;;
esac

TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
pm2=$cache/pm2-$pm2_version
go build -o bin/bench ./bench
case $what in
operate)
	case " $* " in *" -h "* | *" -help "* | *" --help "* | *" -list "* | *" --list "*) ./bin/bench operate "$@" && exit ;; esac
	install_for_operate
	modules=$(bash test/apps.sh --path express5)/node_modules:$(bash test/apps.sh --path fastify)/node_modules
	echo "pm2 $pm2_version, $(wrk -v 2>&1 | sed -n 's/^wrk \(.*\) \[.*/wrk \1/p'), $(nproc) CPUs, Linux $(uname -r)," \
		"$(date -u +%F); nodeinit built $(date -u -r "$nodeinit" '+%F %T') UTC"
	./bin/bench operate -nodeinit "$nodeinit" -nodes "$cache/nodes" -pm2 "$pm2/node_modules/pm2" -modules "$modules" "$@"
	;;
cluster | rr | agent)
	bash test/nodes.sh "$node_version" >&2
	node=$cache/nodes/$node_version/bin/node
	[ "$what" != cluster ] || install_pm2
	echo "Node $node_version, pm2 $pm2_version, $(wrk -v 2>&1 | sed -n 's/^wrk \(.*\) \[.*/wrk \1/p')," \
		"$(nproc) CPUs, Linux $(uname -r), $(date -u +%F); nodeinit built $(date -u -r "$nodeinit" '+%F %T') UTC"
	./bin/bench -nodeinit "$nodeinit" -node "$node" -pm2-runtime "$pm2/node_modules/pm2/bin/pm2-runtime" \
		"$@" "$what"
	;;
heap)
	bash test/nodes.sh >&2
	echo "Linux $(uname -r), $(date -u +%F); nodeinit built $(date -u -r "$nodeinit" '+%F %T') UTC"
	./bin/bench heap -nodeinit "$nodeinit" -nodes "$cache/nodes" "$@"
	;;
logs)
	case " $* " in *" -h "* | *" -help "* | *" --help "*) ./bin/bench logs "$@" && exit ;; esac
	bash test/nodes.sh "$node_version" >&2
	install_loggers
	install_pm2
	install pino-pretty "$pretty_version"
	echo "Node $node_version, pm2 $pm2_version, pino-pretty $pretty_version," \
		"$(dpkg-query -W -f '${Package} ${Version}, ' s6 daemontools runit)" \
		"$(nproc) CPUs, Linux $(uname -r), $(date -u +%F); nodeinit built $(date -u -r "$nodeinit" '+%F %T') UTC"
	./bin/bench logs -nodeinit "$nodeinit" -node "$cache/nodes/$node_version/bin/node" \
		-pm2-runtime "$pm2/node_modules/pm2/bin/pm2-runtime" \
		-pino-pretty "$cache/pino-pretty-$pretty_version/node_modules/pino-pretty/bin.js" "$@"
	;;
control | metrics)
	case " $* " in *" -h "* | *" -help "* | *" --help "*) ./bin/bench "$what" "$@" && exit ;; esac
	bash test/nodes.sh "$node_version" >&2
	echo "Node $node_version, $(wrk -v 2>&1 | sed -n 's/^wrk \(.*\) \[.*/wrk \1/p'), $(nproc) CPUs, Linux $(uname -r)," \
		"$(date -u +%F); nodeinit built $(date -u -r "$nodeinit" '+%F %T') UTC"
	./bin/bench "$what" -nodeinit "$nodeinit" -node "$cache/nodes/$node_version/bin/node" "$@"
	;;
init)
	versions=20.20.2,24.21.0,26.10.0
	bash test/nodes.sh ${versions//,/ } "$node_version" >&2
	make -s bin/bare
	echo "$(tini --version), Node $versions, servers on $node_version, $(go version | cut -d' ' -f3)," \
		"$(nproc) CPUs, Linux $(uname -r), $(date -u +%F); nodeinit built $(date -u -r "$nodeinit" '+%F %T') UTC"
	./bin/bench -nodeinit "$nodeinit" -nodes "$cache/nodes" -versions "$versions" \
		-node "$cache/nodes/$node_version/bin/node" "$@" "$what"
	;;
*) ./bin/bench "$what" ;; # tells what there is
esac
