#!/bin/bash
# Makes docs/grafana.svg: the dashboard of deploy/grafana with the data of a real Prometheus, which scrapes
# a container under load in which a worker crashes, one is replaced for its health, and all by a reload.
# There is no Grafana in it: test/grafana/picture draws it. Needs Docker, Prometheus and wrk.
# Usage: make picture
set -eu
cd "$(dirname "$0")/.."
seconds=${SECONDS_OF_DATA:-240}
bash test/images.sh >&2
(cd test && go build -o ../bin/dashboard ./grafana/picture)

name=nodeinit-dashboard-$$
tmp=$(mktemp -d)
trap 'docker rm -f "$name" >/dev/null; kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
docker run --detach --name "$name" --cpus 1 --memory 512m --read-only --user 65534 --cap-drop ALL \
	--volume "$PWD/bin/nodeinit:/nodeinit:ro" --volume "$PWD/test/deploy/testdata/app.js:/app.js:ro" \
	--publish 127.0.0.1::3000 --publish 127.0.0.1::9464 --entrypoint /nodeinit node:20-bookworm-slim \
	--workers 2 --max-crashes 5 --metrics 9464 --metrics-app /metrics --health-path /health -- node /app.js >/dev/null
app=http://$(docker port "$name" 3000 | head -n 1)
cat >"$tmp/prometheus.yml" <<END
global: { scrape_interval: 1s }
scrape_configs:
  - job_name: nodeinit
    static_configs:
      - { targets: ["$(docker port "$name" 9464 | head -n 1)"], labels: { instance: app } }
END
prometheus=127.0.0.1:$((20000 + $$ % 10000))
prometheus --config.file "$tmp/prometheus.yml" --storage.tsdb.path "$tmp/data" --web.listen-address "$prometheus" 2>"$tmp/log" &
until curl -sf "http://$prometheus/-/ready" >/dev/null; do sleep 0.2; done
until [ "$(docker logs "$name" 2>&1 | grep -c '"msg":"worker ready"')" = 2 ]; do sleep 0.2; done

# part NUMERATOR: that many eighths of the time.
part() { echo $((seconds * $1 / 8)); }
load() { wrk -t 1 -c "$1" -d "$(part "$2")s" "${@:3}" "$app/" >/dev/null; }
load 1 1
load 4 1 -H 'Connection: close'
load 64 2
curl -s "$app/crash" >/dev/null || true
load 2 1
docker exec "$name" /nodeinit reload >&2
load 8 1 -H 'Connection: close'
curl -s "$app/sick" >/dev/null
load 16 2

bin/dashboard -range "${seconds}s" deploy/grafana/nodeinit.json "http://$prometheus" >bin/grafana.svg
mv bin/grafana.svg docs/grafana.svg
