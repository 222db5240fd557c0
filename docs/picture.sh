#!/bin/bash
# Draws docs/picture.svg: where nodeinit stands in a container.
# Usage: bash docs/picture.sh >docs/picture.svg
set -eu

# box CLASS X Y WIDTH HEIGHT
box() { printf '<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="6"/>\n' "$@"; }

# text CLASS X Y WORDS
text() { printf '<text class="%s" x="%d" y="%d">%s</text>\n' "$@"; }

# arrow X Y X Y
arrow() { printf '<path class="arrow" d="M%d %dL%d %d"/>\n' "$@"; }

worker() { # X NAME
	box node "$1" 256 150 62
	text bold $(($1 + 75)) 282 "$2"
	text code $(($1 + 75)) 303 "node server.js"
}

cat <<'END'
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 400" width="820" height="400" role="img">
<title>nodeinit in a container</title>
<style>
text { font: 14px sans-serif; text-anchor: middle; fill: #1f2328; }
.bold { font-weight: bold; }
.small { font-size: 12px; fill: #57606a; }
.code { font: 13px monospace; }
.left { text-anchor: start; }
.page { fill: #ffffff; }
.container { fill: #f3f5f7; stroke: #8c959f; stroke-dasharray: 6 4; }
.init { fill: #dceeff; stroke: #0a69da; }
.node { fill: #dff5e3; stroke: #1a7f37; }
.part { fill: #ffffff; stroke: #0a69da; }
.limits { fill: #fff3d6; stroke: #9a6700; }
.arrow { fill: none; stroke: #57606a; stroke-width: 1.5; marker-end: url(#head); }
.head { fill: #57606a; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.small { fill: #9aa4af; }
.page { fill: #0d1117; }
.container { fill: #161b22; stroke: #6e7681; }
.init { fill: #12294a; stroke: #4a9eff; }
.node { fill: #12331c; stroke: #3fb950; }
.part { fill: #0d1117; stroke: #4a9eff; }
.limits { fill: #2e2410; stroke: #d29922; }
.arrow { stroke: #9aa4af; }
.head { fill: #9aa4af; }
}
</style>
<defs><marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">
<path class="head" d="M0 0L9 4L0 8z"/></marker></defs>
END

box page 0 0 820 400
box container 170 16 480 366
text "bold left" 186 40 "container"
box limits 330 24 304 26
text small 482 41 "cgroup limits: 2 CPUs, 512 MiB"

box init 190 70 440 134
text "bold left" 206 93 "PID 1: nodeinit"
box part 206 106 128 46
text "" 270 126 "listening sockets"
text small 270 143 "port 3000"
box part 346 106 128 46
text "" 410 126 "limits"
text small 410 143 "workers, heap"
box part 486 106 128 46
text "" 550 126 "signals"
text small 550 143 "finish, then end"
text small 410 178 "starts and replaces workers, reaps zombies, says why it ended"

worker 190 "worker 0"
worker 480 "worker n-1"
text bold 410 290 "..."
arrow 265 204 265 253
arrow 555 204 555 253
text small 410 232 "connections, signals"

arrow 410 50 410 103

# Outside.
text bold 80 133 "clients"
arrow 110 129 203 129
text "bold left" 698 42 "docker update"
arrow 690 37 637 37
text "bold left" 698 133 "docker stop"
arrow 690 129 617 129
text "bold left" 700 354 "docker logs"
arrow 572 350 694 350
text small 410 354 "stdout: the lines of nodeinit and of the workers"

echo '</svg>'
