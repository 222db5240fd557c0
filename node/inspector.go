package node

import (
	"slices"
	"strconv"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
)

// inspectorOptions are the options of node that set the inspector's address or
// start it.
var inspectorOptions = []string{"--inspect", "--inspect-brk", "--inspect-wait", "--inspect-port", "--debug-port"}

// withInspectPort returns argv and env with an inspector port of its own for the
// worker in slot, if they ask for the inspector: that port plus slot. Node's own
// primary does the same, but takes the first port itself. Port 0 stays: it means
// any free port.
func withInspectPort(slot int, argv, env []string) ([]string, []string) {
	host, port := "", 9229
	options := strings.Fields(exec.Getenv(env, "NODE_OPTIONS"))
	inEnv := parseInspector(options, &host, &port)
	script := parseNodeArgs(argv).script
	inArgv := script > 0 && parseInspector(argv[1:script], &host, &port)
	if slot == 0 || port == 0 || !inEnv && !inArgv {
		return argv, env
	}
	const minPort, maxPort = 1024, 65535 // lib/internal/util/inspector.js
	if port += slot; port > maxPort {
		port = minPort + port - maxPort - 1
	}
	address := strconv.Itoa(port)
	if host != "" {
		address = joinHostPort(host, address)
	}
	option := "--inspect-port=" + address
	if !inArgv {
		return argv, AddNodeOption(env, option)
	}
	if argv[script-1] == "--" {
		script--
	}
	return slices.Insert(slices.Clone(argv), script, option), env
}

// parseInspector sets host and port from the inspector's options in words, the last
// of which counts, and reports whether there are any.
func parseInspector(words []string, host *string, port *int) (found bool) {
	for i, word := range words {
		name, value, joined := strings.Cut(strings.ReplaceAll(word, "_", "-"), "=")
		if !slices.Contains(inspectorOptions, name) {
			continue
		}
		found = true
		if !joined && strings.HasSuffix(name, "-port") && i+1 < len(words) {
			value = words[i+1]
		}
		if value == "" {
			continue
		}
		if n, err := strconv.Atoi(value); err == nil {
			*port = n
		} else if h, p, ok := splitHostPort(value); ok {
			*host = h
			*port, _ = strconv.Atoi(p)
		} else {
			*host = strings.Trim(value, "[]")
		}
	}
	return found
}

// joinHostPort is net.JoinHostPort, without package net in the binary.
func joinHostPort(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port
}

// splitHostPort is net.SplitHostPort.
func splitHostPort(address string) (host, port string, ok bool) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return "", "", false
	}
	host, port = address[:i], address[i+1:]
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		host, ok = strings.CutSuffix(inner, "]")
	} else {
		ok = !strings.Contains(host, ":")
	}
	return host, port, ok && !strings.ContainsAny(host+port, "[]")
}
