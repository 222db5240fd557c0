package node

import (
	_ "embed"
	"encoding/base64"
	"strings"
)

// The modules that Node runs before the program. The agent consists of three
// parts; agent.js uses what the other two declare.
var (
	//go:embed preload/start.js
	startScript string
	//go:embed preload/fork.js
	forkScript string
	//go:embed preload/join.js
	joinScript string
	//go:embed preload/channel.js
	channelScript string
	//go:embed preload/handlers.js
	handlersScript string
	//go:embed preload/connections.js
	connectionsScript string
	//go:embed preload/agent.js
	agentScript string
)

// module returns a module in the form that start.js reads. Base64 has no character
// that means something to a shell or to a program that copies variables.
func module(name, text string) string {
	return "nodeinit:" + name + "=" + base64.RawURLEncoding.EncodeToString(compact(text))
}

// importStart returns the option that makes Node run start.js, in fork mode with
// fork.js. It contains by=nodeinit so that the script can remove it again.
func importStart(fork bool) string {
	script := startScript
	if fork {
		script = forkScript + script
	}
	return "--import=data:text/javascript;by=nodeinit;base64," + base64.StdEncoding.EncodeToString(compact(script))
}

// compact returns a script without comments and indentation: every process gets it
// in its environment. A comment that could be part of a string or pattern stays.
func compact(script string) []byte {
	var code []byte
	for line := range strings.Lines(script) {
		line = strings.TrimLeft(line, " ")
		if at := strings.LastIndex(line, " // "); at >= 0 && !strings.ContainsAny(line[at+len(" // "):], "'\"`/") {
			line = line[:at] + "\n"
		}
		if line != "\n" && !strings.HasPrefix(line, "// ") {
			code = append(code, line...)
		}
	}
	return code
}
