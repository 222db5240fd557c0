package node

import (
	"path/filepath"
	"strings"
)

// nodeArgs are the arguments of node.
type nodeArgs struct {
	script int    // index of the script, 0 if there is none
	other  string // the option or subcommand with which node runs no script
	run    string // the script of package.json that --run names
	runEnd int    // index of the argument after that
	watch  bool
}

// nodeValues are the options of node that take the next argument as their value
// (--expose-internals, internalBinding('options'), Node 18 to 26). Those of V8
// take none.
const nodeValues = `
	-r --require --import -C --conditions --loader --experimental-loader --title --allow-fs-read --allow-fs-write
	--build-snapshot-config --cpu-prof-dir --cpu-prof-interval --cpu-prof-name --diagnostic-dir --disable-proto
	--disable-warning --dns-result-order --env-file --env-file-if-exists --experimental-config-file
	--experimental-default-type --experimental-package-map --experimental-policy --experimental-specifier-resolution
	--es-module-specifier-resolution --heap-prof-dir --heap-prof-interval --heap-prof-name
	--heapsnapshot-near-heap-limit --heapsnapshot-signal --icu-data-dir --input-type --inspect-port --debug-port
	--inspect-publish-uid --localstorage-file --max-http-header-size --max-old-space-size-percentage
	--network-family-autoselection-attempt-timeout --openssl-config --policy-integrity --redirect-warnings
	--report-dir --report-directory --report-filename --report-signal --secure-heap --secure-heap-min
	--security-revert --security-reverts --snapshot-blob --stack-trace-limit --tls-cipher-list --tls-keylog
	--trace-event-categories --trace-event-file-pattern --trace-require-module --unhandled-rejections
	--use-largepages --v8-pool-size --vfs-load --vfs-mount --watch-kill-signal --watch-path`

// nodeOther are the options with which node runs no script, or none that is a
// server.
const nodeOther = `
	-e --eval -p --print -pe -c --check -i --interactive -v --version -h --help --v8-options --completion-bash
	--prof-process --test --bench --build-snapshot --build-sea --experimental-sea-config`

// parseNodeArgs parses argv as node does. Of another command it returns none.
func parseNodeArgs(argv []string) (args nodeArgs) {
	if !isNode(filepath.Base(argv[0])) {
		return args
	}
	for i := 1; i < len(argv); i++ {
		word := argv[i]
		switch {
		case word == "--":
			if i+1 < len(argv) {
				args.script = i + 1
			}
			return args
		case word == "inspect", word == "-":
			args.other = word
			return args
		case !strings.HasPrefix(word, "-"):
			args.script = i
			return args
		}
		name, value, joined := strings.Cut(word, "=")
		if strings.HasPrefix(name, "--") {
			name = strings.ReplaceAll(name, "_", "-")
		}
		takes := !joined && i+1 < len(argv)
		switch {
		case listed(nodeOther, name):
			args.other = name
			return args
		case name == "--run":
			if takes {
				i++
				value = argv[i]
			}
			args.run, args.runEnd = value, i+1
			return args
		case name == "--watch", name == "--watch-path":
			args.watch = true
		}
		if takes && listed(nodeValues, name) {
			i++
		}
	}
	return args
}

// node is node server.js.
func (c commandLine) node() Program {
	args := parseNodeArgs(c.argv)
	switch {
	case args.run != "":
		return c.nodeRun(args)
	case args.other == "inspect":
		return c.none(RuntimeNode, "node inspect is a debugger (write node --inspect and the script)")
	case args.other == "--test":
		return c.none(RuntimeNode, "node --test starts processes of its own")
	case args.other != "" && args.other != "-":
		return c.none(RuntimeNode, "node %s runs no script (write node server.js)", args.other)
	case args.script == 0:
		return c.none(RuntimeNode, "node reads its script from standard input, of which there is one (write node server.js)")
	case isStream(c.join(c.argv[args.script])):
		return c.none(RuntimeNode, "node reads its script from %s, which can be read once only (write node server.js)", c.argv[args.script])
	case args.watch:
		return c.late()
	default:
		return c.direct(RuntimeNode)
	}
}
