package node

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what node/preload is encoded as")

// TestPreloadIsEncoded compares the encoded scripts with their sources.
func TestPreloadIsEncoded(t *testing.T) {
	t.Parallel()
	start := script(t, "start")
	for name, want := range map[string]string{
		"start":  importOption(start),
		"fork":   importOption(script(t, "fork") + start),
		"join":   module("join.js", script(t, "join")),
		"worker": module("worker.js", script(t, "channel")+script(t, "worker")),
		// agent.js uses what the other two declare.
		"agent": module("agent.js", script(t, "handlers")+script(t, "connections")+script(t, "agent")),
		// It is sent in a message, and not in the environment.
		"profile": jsonString(compact(script(t, "profile"))),
	} {
		file := "preload/encoded/" + name + ".txt"
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(file); string(got) != want {
			t.Errorf("%s is not what the scripts are (go generate ./node): %v", file, err)
		}
	}
}

// TestImportIsDecodedFast: what Node decodes of the URL is short. From about a thousand
// bytes on V8 compiles the loops that do so, with 100 minor faults and more (Node 22.23 to
// 26).
func TestImportIsDecodedFast(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]string{"start": importStart, "fork": importFork} {
		if decoded, _, _ := strings.Cut(option, "#"); len(decoded) > 500 {
			t.Errorf("%s: %d bytes", name, len(decoded))
		}
	}
}

func script(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("preload/" + name + ".js")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// module returns a module in the form that start.js reads. Base64 has no character
// that means something to a shell or to a program that copies variables.
func module(name, text string) string {
	return "nodeinit:" + name + "=" + base64.RawURLEncoding.EncodeToString(compact(text))
}

func jsonString(text []byte) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(string(text)) // a string can be encoded
	return strings.TrimSuffix(b.String(), "\n")
}

// runFragment is the module that runs what is in the fragment of its URL, as a function.
// Node 18 and 22.0 have no getBuiltinModule.
const runFragment = `const require = process.getBuiltinModule ?? (await import('node:module')).createRequire('file:///');
await require('vm').compileFunction(Buffer.from(import.meta.url.split('#')[1], 'base64url').toString(), ['require'], { filename: 'nodeinit:start.js' })(require);
//# sourceURL=nodeinit:import.js
`

// importOption returns the option that makes Node run a script. It contains by=nodeinit
// so that the script can remove it again.
func importOption(script string) string {
	return "--import=data:text/javascript;by=nodeinit;base64," + base64.StdEncoding.EncodeToString([]byte(runFragment)) +
		"#" + base64.RawURLEncoding.EncodeToString(compact("'use strict';\n"+script))
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
