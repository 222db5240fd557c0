# Runs nodeinit in cgroups of a machine with cgroup v2 (see cgroup-vm.sh). vm_test.go reads, for each
# case, "== NAME", what nodeinit wrote, and "-- STATUS".
dmesg -n 1 # or the OOM killer's lines get into the middle of ours
cg=/sys/fs/cgroup
all="+cpu +memory +cpuset"

# group PATH [FILE VALUE]...: makes a cgroup below those that are there, with that written to it.
group() {
	dir=$cg/$1
	shift
	mkdir "$dir"
	echo "$all" >"${dir%/*}/cgroup.subtree_control"
	while [ $# -gt 0 ]; do
		echo "$2" >"$dir/$1"
		shift 2
	done
}

# within PATH COMMAND...: runs a command in a cgroup.
within() {
	dir=$cg/$1
	shift
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$dir" "$@"
}

# try NAME COMMAND...: runs one case.
try() {
	echo "== $1"
	shift
	"$@" 2>&1
	echo "-- $?"
}

explain="nodeinit explain --json -- node server.js"
# tail keeps a line that has no end. Limits leave it far more than nodeinit has, or the kernel may pick that.
eat="nodeinit --log-format json -- tail /dev/zero"

# As a container engine does it: an own view of the cgroups, and PID 1.
cat >/bin/container <<'END'
#!/bin/sh
exec /usr/bin/unshare --cgroup --mount --pid --fork sh -c '
	mount -t proc proc /proc
	umount /sys/fs/cgroup
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	exec "$@"' container "$@"
END
chmod +x /bin/container

try root $explain

group outer cpu.max "150000 100000" memory.max 400M
group outer/middle memory.max 300M cpuset.cpus 0-1
group outer/middle/leaf cpu.max "250000 100000" memory.max 350M memory.high 200M
try nested within outer/middle/leaf $explain
try root-option within outer/middle/leaf nodeinit explain --root / --json -- node server.js
try container within outer/middle/leaf container $explain
# A view of one's own, but the mount of others: the names in between are not to be found out.
try namespace-only within outer/middle/leaf /usr/bin/unshare --cgroup $explain

# The memory controller is not passed on to the leaf.
group half memory.max 256M
mkdir "$cg/half/leaf"
echo "+cpu" >"$cg/half/cgroup.subtree_control"
echo "50000 100000" >"$cg/half/leaf/cpu.max"
try not-delegated within half/leaf $explain

group own memory.max 48M
try oom-own within own $eat
try oom-own-pid1 within own container $eat

group above memory.max 48M
group above/leaf memory.max 96M
try oom-above within above/leaf $eat
try oom-above-pid1 within above/leaf container $eat

group together memory.max 48M memory.oom.group 1
try oom-group within together $eat

group slow cpu.max "20000 100000"
try throttled within slow nodeinit --log-format json -- sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'
try not-throttled within own nodeinit --log-format json -- true
