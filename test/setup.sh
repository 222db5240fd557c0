#!/bin/bash
# Brings what the tests need onto a Debian machine: the tools that are missing, and a Docker engine
# if none answers. Where it may not do that, it prints what to run and fails. Run by "make test".
# Usage: test/setup.sh
set -eu
cache=${NODEINIT_CACHE:-$HOME/.cache/nodeinit}
log=$cache/dockerd.log
export DEBIAN_FRONTEND=noninteractive

# engine_answers: true if there is an engine that this user may talk to.
# The limit ends a hang: an engine that is not there is known at once.
engine_answers() { timeout 600 docker version >/dev/null 2>&1; }

# Which Debian package has what is missing.
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need gcc gcc # the race detector
need update-ca-certificates ca-certificates # also for the images
need debootstrap debootstrap
need qemu-system-x86_64 qemu-system-x86
need busybox busybox-static
need cpio cpio
need wrk wrk
need curl curl
need promtool prometheus
need ss iproute2
need hyperfine hyperfine
need tini tini
need dumb-init dumb-init
need catatonit catatonit
need dockerd docker.io # also for a second engine, with nodeinit as its docker-init
engine_answers || { need docker docker.io; need iptables iptables; }
docker compose version >/dev/null 2>&1 || need docker-compose docker-compose

if [ "$(id -u)" != 0 ]; then
	todo=()
	[ ${#missing[@]} = 0 ] || todo+=("apt-get update && apt-get install --no-install-recommends ${missing[*]}")
	engine_answers || todo+=("dockerd &   # and let $(id -un) use it: usermod -aG docker $(id -un)")
	[ ${#todo[@]} = 0 ] || {
		echo "setup: not root, so please run as root:" >&2
		printf '  %s\n' "${todo[@]}" >&2
		exit 1
	}
fi

if [ ${#missing[@]} != 0 ]; then
	echo "setup: apt-get install ${missing[*]}"
	mkdir -p "$cache"
	# Debian starts what it installs, unless this says no: policy-rc.d(8). Prometheus would take port 9090.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		printf '#!/bin/sh\ncase $1 in prometheus*) exit 101 ;; esac\n' >$policy
		chmod +x $policy
	fi
	{
		apt-get -o DPkg::Lock::Timeout=600 -q update &&
			apt-get -o DPkg::Lock::Timeout=600 -qy install --no-install-recommends "${missing[@]}"
	} >"$cache/apt.log" 2>&1 </dev/null || {
		tail -n 20 "$cache/apt.log" >&2
		exit 1
	}
fi

# forget_dead FILE NAME: removes the pid file of an engine that was killed. dockerd refuses to start
# while a process has that pid, as is likely after a reboot, or waits for a containerd that is a zombie.
forget_dead() {
	[ -e "$1" ] || return 0
	[[ $(readlink "/proc/$(cat "$1")/exe") == */$2 ]] || rm -f "$1"
}

# start_engine FLAG...: starts dockerd and waits until it answers, ends or has had ten minutes.
start_engine() {
	echo "setup: dockerd $* (log: $log)"
	forget_dead /var/run/docker.pid dockerd
	forget_dead /var/run/docker/containerd/containerd.pid containerd
	# Of its own session and holding none of our descriptors, so that it outlives make and CI's pipe.
	setsid dockerd "$@" >>"$log" 2>&1 </dev/null &
	local pid=$! end=$((SECONDS + 600))
	while ((SECONDS < end)); do
		engine_answers && return 0
		kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.2
	done
	kill "$pid"
	wait "$pid" || true
	return 1
}

if ! engine_answers; then
	mkdir -p "$cache"
	: >"$log"
	# dockerd finds the storage driver and what iptables can do by itself. Where it ends all the same:
	# the driver by name (it stops at the leftovers of two), then plain copies instead of overlay, then
	# no rules in the firewall either (published ports and container to container still work).
	start_engine ||
		start_engine --storage-driver=overlay2 ||
		start_engine --storage-driver=vfs ||
		start_engine --storage-driver=vfs --iptables=false --ip6tables=false || {
		echo "setup: dockerd does not start:" >&2
		tail -n 20 "$log" >&2
		exit 1
	}
fi
compose=$(docker compose version --short 2>/dev/null || docker-compose version --short)
echo "setup: ready: docker $(docker version --format '{{.Server.Version}}'), compose $compose"
