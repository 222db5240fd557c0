#!/bin/bash
# Boots a throw-away machine with pure cgroup v2 (Debian's cloud kernel, a busybox initramfs, QEMU
# without KVM) and runs SCRIPT in it with busybox's sh. Its exit status is that of SCRIPT, or 99 if
# the machine ended without one. The console goes to stdout.
# Usage: cgroup-vm.sh [-n CPUS] [-m MIB] [-t SECONDS] [-f HOST:GUEST]... SCRIPT
set -eu
cpus=4 mem=1024 limit=600 files=()
while getopts n:m:t:f: option; do
	case $option in
	n) cpus=$OPTARG ;;
	m) mem=$OPTARG ;;
	t) limit=$OPTARG ;;
	f) files+=("$OPTARG") ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
script=$1
cache=${NODEINIT_CACHE:-$HOME/.cache/nodeinit}
mkdir -p "$cache"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# The kernel of the package that linux-image-cloud-amd64 depends on, taken out without installing
# it. Under a lock, as tests run side by side; mv makes it complete or absent.
exec 9>"$cache/kernel.lock"
flock 9
if [ ! -e "$cache/vmlinuz" ]; then
	newest() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image/ {print $2; exit}'; }
	package=$(newest)
	[ -n "$package" ] || { apt-get -q update >&2 && package=$(newest); }
	(cd "$tmp" && apt-get -q -o APT::Sandbox::User=root download "$package" >&2 && dpkg-deb --fsys-tarfile linux-image-*.deb | tar -x --wildcards './boot/vmlinuz-*')
	mv "$tmp"/boot/vmlinuz-* "$cache/vmlinuz"
fi
exec 9>&-

root=$tmp/root
mkdir -p "$root"/{bin,proc,sys,dev,tmp,etc}
cp -L "$(command -v busybox)" "$root/bin/busybox"
for file in ${files[@]+"${files[@]}"}; do
	mkdir -p "$root$(dirname "${file#*:}")"
	cp -L "${file%%:*}" "$root${file#*:}"
done
cp "$script" "$root/test.sh"
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
echo "+cpu +memory +pids +cpuset" > /sys/fs/cgroup/cgroup.subtree_control
ip link set lo up
sh /test.sh
echo "VM_EXIT=$?"
poweroff -f
INIT
chmod +x "$root/init"
# Not compressed: without KVM, to unpack it would take longer than to boot.
(cd "$root" && find . | cpio -o -H newc --quiet) >"$tmp/initrd"
# -cpu max,-cx16: QEMU 7.2 emulates gs:cmpxchg16b wrongly, and kernels from 6.12 on oops with it.
timeout -s KILL "$limit" qemu-system-x86_64 -M pc -accel tcg,thread=multi -cpu max,-cx16 \
	-smp "$cpus" -m "$mem" -display none -serial stdio -monitor none -no-reboot -nic none \
	-kernel "$cache/vmlinuz" -initrd "$tmp/initrd" -append "console=ttyS0 panic=-1 psi=1 quiet" \
	</dev/null | tr -d '\r' | tee "$tmp/log"
status=$(sed -n 's/^VM_EXIT=//p' "$tmp/log" | tail -n 1)
exit "${status:-99}"
