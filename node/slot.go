package node

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
)

// A Slot is one process of those that a program is started as.
type Slot struct {
	ID      int // cluster.worker.id: from 1, another for each that is started; 0 in fork mode
	Slot    int // from 0; a replacement has that of its predecessor
	Workers int // how many there are to be
	Agent   bool
	// Alone says that it gets standard input, and the terminal if there is one.
	Alone bool
}

// Command returns the command that starts p, which is at path, as w. channel is
// the worker's end of its channel; close it once the command has started.
// inherited is what Inherited returned when this process started.
func (p Program) Command(path string, w Slot, channel int, inherited []int) (exec.Command, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(channel, &stat); err != nil {
		return exec.Command{}, fmt.Errorf("channel of worker %d: %w", w.Slot, os.NewSyscallError("fstat", err))
	}
	// The late join reads what is in the channel before Node takes it over.
	if err := unix.SetNonblock(channel, true); err != nil {
		return exec.Command{}, fmt.Errorf("channel of worker %d: %w", w.Slot, os.NewSyscallError("fcntl", err))
	}
	fd := ChannelFD(p.Join, inherited)
	argv, env := withInspectPort(w.Slot, p.Argv, p.Env)
	return exec.Command{
		Path: path, Argv: argv, Env: WorkerEnv(argv, env, w, p.Join, fd, stat.Ino), Dir: p.Dir,
		Channel: channel, ChannelAt: fd, Inherited: inherited, Background: !w.Alone, Credential: p.Credential,
	}, nil
}

// lateChannelFD is where the channel of a late join begins to look for a number. Node
// closes on exec what it was started with, up to the first gap from 16 on
// (uv_disable_stdio_inheritance, libuv 1.44 to 1.52), so that what is above a
// gap comes through npm. Shells use 10 to 19 and 255 for themselves, people who
// write scripts 200.
const lateChannelFD = 173

// ChannelFD returns the number that the channel has in the child: one that no
// descriptor passed to this process has.
func ChannelFD(join Join, inherited []int) int {
	fd := 3
	if join == JoinLate {
		fd = lateChannelFD
	}
	for slices.Contains(inherited, fd) {
		fd++
	}
	return fd
}

// ownVariables are those by which a process gets a channel. They are for one
// process only.
var ownVariables = []string{"NODE_UNIQUE_ID", "NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODEINIT_CHANNEL", "NODEINIT_MODULES"}

// WorkerEnv returns env as worker w gets it, which runs argv, with a channel that
// is open as fd and has that inode.
func WorkerEnv(argv, env []string, w Slot, join Join, fd int, inode uint64) []string {
	kept := slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		return slices.Contains(ownVariables, key)
	})
	vars := map[string]string{}
	if w.ID > 0 {
		vars["NODEINIT_WORKER"] = strconv.Itoa(w.Slot)
		vars["NODEINIT_WORKER_COUNT"] = strconv.Itoa(w.Workers)
		if takesInstance(env, argv) {
			vars["NODE_APP_INSTANCE"] = strconv.Itoa(w.Slot) // as pm2 calls it
		}
	}
	var modules []string
	switch join {
	case JoinLate:
		vars["NODEINIT_CHANNEL"] = fmt.Sprintf("%d:%d:%d", fd, inode, w.ID)
		modules = append(modules, module("join.js", joinScript)) // first, so that no other has loaded cluster
	default:
		vars["NODE_CHANNEL_FD"] = strconv.Itoa(fd)
		vars["NODE_CHANNEL_SERIALIZATION_MODE"] = "json"
		if w.ID > 0 {
			vars["NODE_UNIQUE_ID"] = strconv.Itoa(w.ID)
		}
	}
	if w.Agent {
		modules = append(modules, module("channel.js", channelScript), module("agent.js", agentScript()))
	}
	if len(modules) > 0 {
		vars["NODEINIT_MODULES"] = strings.Join(modules, " ")
		vars["NODE_OPTIONS"] = strings.TrimSpace(importStart() + " " + exec.Getenv(env, "NODE_OPTIONS"))
	}
	return exec.Setenv(kept, vars)
}

// takesInstance reports whether NODE_APP_INSTANCE may be set: the user has not,
// and node-config will not end because it has no file for that instance.
func takesInstance(env, argv []string) bool {
	const strict = "NODE_CONFIG_STRICT_MODE" // also as an argument
	return !slices.ContainsFunc(env, func(kv string) bool {
		return strings.HasPrefix(kv, "NODE_APP_INSTANCE=") || strings.HasPrefix(kv, strict+"=") && len(kv) > len(strict+"=")
	}) && !slices.ContainsFunc(argv, func(arg string) bool { return strings.Contains(arg, strict) })
}

// What Node is to run before the program.
var (
	//go:embed preload/start.js
	startScript string
	//go:embed preload/join.js
	joinScript string
	//go:embed preload/channel.js
	channelScript string
)

// module returns a module as start.js reads it. Base64 has nothing in it that a
// shell or a program that copies variables could take for its own.
func module(name, text string) string {
	return "nodeinit:" + name + "=" + base64.RawURLEncoding.EncodeToString([]byte(text))
}

// importStart is the option for Node to run start.js, without its comments;
// by=nodeinit is how the modules find it again.
func importStart() string {
	var code []byte
	for line := range strings.Lines(startScript) {
		if line = strings.TrimLeft(line, " "); !strings.HasPrefix(line, "// ") {
			code = append(code, line...)
		}
	}
	return "--import=data:text/javascript;by=nodeinit;base64," + base64.StdEncoding.EncodeToString(code)
}

// inspectorOptions name the inspector's port or start it.
var inspectorOptions = []string{"--inspect", "--inspect-brk", "--inspect-wait", "--inspect-port", "--debug-port"}

// withInspectPort gives the worker in slot a port of its own for the inspector if
// argv or NODE_OPTIONS ask for that: the one asked for and those above it, as
// Node's own primary does (which takes the first itself). Port 0 is any free
// one already.
func withInspectPort(slot int, argv, env []string) ([]string, []string) {
	host, port := "", 9229
	options := strings.Fields(exec.Getenv(env, "NODE_OPTIONS"))
	inEnv := readInspector(options, &host, &port)
	script := 0
	if isNode(filepath.Base(argv[0])) {
		script = readNodeLine(argv).script
	}
	inArgv := script > 0 && readInspector(argv[1:script], &host, &port)
	if slot == 0 || port == 0 || !inEnv && !inArgv {
		return argv, env
	}
	const lowest, highest = 1024, 65535 // as lib/internal/util/inspector.js goes on from the highest
	if port += slot; port > highest {
		port = lowest + port - highest - 1
	}
	address := strconv.Itoa(port)
	if host != "" {
		address = net.JoinHostPort(host, address)
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

// readInspector reads host and port from the inspector's options among words.
func readInspector(words []string, host *string, port *int) (found bool) {
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
		} else if h, p, err := net.SplitHostPort(value); err == nil {
			*host = h
			*port, _ = strconv.Atoi(p)
		} else {
			*host = strings.Trim(value, "[]")
		}
	}
	return found
}

// BelowNodeinit reports whether this process stands between another nodeinit and a
// worker of that, which is to join late: it has the channel for it.
func BelowNodeinit(env []string) bool {
	var fd, id int
	var inode uint64
	if _, err := fmt.Sscanf(exec.Getenv(env, "NODEINIT_CHANNEL"), "%d:%d:%d", &fd, &inode, &id); err != nil {
		return false
	}
	var stat unix.Stat_t
	return unix.Fstat(fd, &stat) == nil && stat.Ino == inode
}
