package node

import (
	"slices"
	"strings"
)

// A nodeLine is the command line of node, taken apart.
type nodeLine struct {
	script int    // index of the script, 0 if there is none
	other  string // what makes node do something else than run a script
	run    string // the script of package.json to run
	runAt  int    // the index of the word after that
	watch  bool
}

// nodeValues are the options of node that take the next word as their value
// (--expose-internals, internalBinding('options'), Node 18 to 26). V8's own
// take none.
var nodeValues = strings.Fields(`
	-r --require --import -C --conditions --loader --experimental-loader --title
	--allow-fs-read --allow-fs-write --build-snapshot-config --cpu-prof-dir
	--cpu-prof-interval --cpu-prof-name --diagnostic-dir --disable-proto
	--disable-warning --dns-result-order --env-file --env-file-if-exists
	--experimental-config-file --experimental-default-type
	--experimental-package-map --experimental-policy
	--experimental-specifier-resolution --es-module-specifier-resolution
	--heap-prof-dir --heap-prof-interval --heap-prof-name
	--heapsnapshot-near-heap-limit --heapsnapshot-signal --icu-data-dir
	--input-type --inspect-port --debug-port --inspect-publish-uid
	--localstorage-file --max-http-header-size --max-old-space-size-percentage
	--network-family-autoselection-attempt-timeout --openssl-config
	--policy-integrity --redirect-warnings --report-dir --report-directory
	--report-filename --report-signal --secure-heap --secure-heap-min
	--security-revert --security-reverts --snapshot-blob --stack-trace-limit
	--tls-cipher-list --tls-keylog --trace-event-categories
	--trace-event-file-pattern --trace-require-module --unhandled-rejections
	--use-largepages --v8-pool-size --vfs-load --vfs-mount --watch-kill-signal
	--watch-path`)

// nodeOther are the options with which node runs no script, or none that is a
// server.
var nodeOther = strings.Fields(`
	-e --eval -p --print -pe -c --check -i --interactive -v --version -h --help
	--v8-options --completion-bash --prof-process --test --bench --build-snapshot
	--build-sea --experimental-sea-config`)

// readNodeLine takes argv apart as node does.
func readNodeLine(argv []string) nodeLine {
	var line nodeLine
	for i := 1; i < len(argv); i++ {
		word := argv[i]
		switch {
		case word == "--":
			if i+1 < len(argv) {
				line.script = i + 1
			}
			return line
		case word == "inspect", word == "-":
			line.other = word
			return line
		case !strings.HasPrefix(word, "-"):
			line.script = i
			return line
		}
		name, value, joined := strings.Cut(word, "=")
		if strings.HasPrefix(name, "--") {
			name = strings.ReplaceAll(name, "_", "-")
		}
		takes := !joined && i+1 < len(argv)
		switch {
		case slices.Contains(nodeOther, name):
			line.other = name
			return line
		case name == "--run":
			if takes {
				i++
				value = argv[i]
			}
			line.run, line.runAt = value, i+1
			return line
		case name == "--watch", name == "--watch-path":
			line.watch = true
		}
		if takes && slices.Contains(nodeValues, name) {
			i++
		}
	}
	return line
}

// node is a command line of node's.
func (s commandLine) node() Program {
	line := readNodeLine(s.argv)
	switch {
	case line.run != "":
		return s.nodeRun(line)
	case line.other == "inspect":
		return s.none(RuntimeNode, "node inspect is a debugger (write node --inspect and the script)")
	case line.other == "--test":
		return s.none(RuntimeNode, "node --test starts processes of its own")
	case line.other != "" && line.other != "-":
		return s.none(RuntimeNode, "node %s runs no script (write node server.js)", line.other)
	case line.script == 0:
		return s.none(RuntimeNode, "node reads its script from standard input, of which there is one (write node server.js)")
	case isStream(s.join(s.argv[line.script])):
		return s.none(RuntimeNode, "node reads its script from %s, which can be read once only (write node server.js)", s.argv[line.script])
	case line.watch:
		return s.late()
	default:
		return s.direct(RuntimeNode)
	}
}
