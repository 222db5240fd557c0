#!/bin/bash
# Makes docs/top.svg: what nodeinit top shows of an express application in a hardened container,
# under load, a while after one of its workers was killed. Needs Docker, and what the tests need.
# Usage: make picture
set -eu
cd "$(dirname "$0")/.."
seconds=40
bash test/apps.sh express5 >&2
bash test/images.sh >&2
(cd test && go build -o ../bin/picture ./picture)

name=nodeinit-top-$$
trap 'docker rm -f "$name" >/dev/null; kill $(jobs -p) 2>/dev/null || true' EXIT
docker run --detach --name "$name" --cpus 2 --memory 512m --read-only --user 65534 --cap-drop ALL \
	--volume "$PWD/bin/nodeinit:/nodeinit:ro" --volume "$(bash test/apps.sh --path express5):/app:ro" --workdir /app \
	--publish 127.0.0.1::3000 --entrypoint /nodeinit node:20-bookworm-slim \
	--workers 2 --max-crashes 5 -- node server.js >/dev/null
address=$(docker port "$name" 3000 | head -n 1)
until [ "$(docker logs "$name" 2>&1 | grep -c '"msg":"worker ready"')" = 2 ]; do sleep 0.2; done

wrk -t 1 -c 2 -d 60s "http://$address/" >/dev/null &
{
	sleep 8
	wrk -t 1 -c 16 -d 4s "http://$address/"
	docker exec "$name" /nodeinit status --json | grep -o '"slot":1,"pid":[0-9]*' | grep -o '[0-9]*$' |
		xargs docker exec "$name" node -e 'process.kill(process.argv[1], "SIGKILL")'
	sleep 5
	wrk -t 1 -c 32 -d 60s "http://$address/"
} >/dev/null &

bin/picture -columns 84 -rows 16 -after "${seconds}s" -title "docker exec -it app /nodeinit top" \
	docker exec -it -e LANG=C.UTF-8 -e TERM=xterm-256color "$name" /nodeinit top >bin/top.svg
mv bin/top.svg docs/top.svg
