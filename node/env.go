package node

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
)

// AddNodeOption returns env with option at the end of its NODE_OPTIONS.
func AddNodeOption(env []string, option string) []string {
	options := exec.Getenv(env, "NODE_OPTIONS")
	return exec.Setenv(env, map[string]string{"NODE_OPTIONS": strings.TrimSpace(options + " " + option)})
}

// ownVariables give a process its channel. Each is for one process only.
var ownVariables = []string{"NODE_UNIQUE_ID", "NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODEINIT_CHANNEL", "NODEINIT_MODULES"}

// WorkerEnv returns the environment for argv in a slot: env with the variables for
// the slot, for the channel, which is open as fd and has that inode, and for the
// modules to load.
func WorkerEnv(argv, env []string, slot Slot, join Join, fd int, inode uint64) []string {
	kept := slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		return slices.Contains(ownVariables, key)
	})
	vars := map[string]string{}
	if slot.ID > 0 {
		vars["NODEINIT_WORKER"] = strconv.Itoa(slot.Slot)
		vars["NODEINIT_WORKER_COUNT"] = strconv.Itoa(slot.Workers)
		if name := slot.InstanceVar; name != "" && allowsInstance(name, env, argv) {
			vars[name] = strconv.Itoa(slot.Slot)
		}
	}
	modules := slot.modules(join)
	fork := slot.ID == 0
	switch {
	case join == JoinLate:
		vars["NODEINIT_CHANNEL"] = fmt.Sprintf("%d:%d:%d", fd, inode, slot.ID)
	case fork && slot.Agent:
		vars["NODEINIT_CHANNEL"] = fmt.Sprintf("%d:%d", fd, inode)
		if slot.Messages {
			vars["NODEINIT_CHANNEL"] += "::messages" // four words: see BelowNodeinit
		}
	default:
		vars["NODE_CHANNEL_FD"] = strconv.Itoa(fd)
		vars["NODE_CHANNEL_SERIALIZATION_MODE"] = "json"
		if !fork {
			vars["NODE_UNIQUE_ID"] = strconv.Itoa(slot.ID)
		}
	}
	if len(modules) > 0 {
		vars["NODEINIT_MODULES"] = strings.Join(modules, " ")
		option := importStart
		if fork {
			option = importFork
		}
		vars["NODE_OPTIONS"] = strings.TrimSpace(option + " " + exec.Getenv(env, "NODE_OPTIONS"))
	}
	return exec.Setenv(kept, vars)
}

// modules returns the modules that Node is to run, in their order.
func (s Slot) modules(join Join) (list []string) {
	fork := s.ID == 0
	if join == JoinLate && !fork {
		list = append(list, joinModule) // first: nothing may have loaded cluster before it
	}
	if s.Agent && !fork {
		list = append(list, workerModule)
	}
	if s.Agent {
		list = append(list, agentModule)
	}
	return list
}

// allowsInstance reports whether the variable name may be set: the user has not set it,
// and it is not NODE_APP_INSTANCE with node-config in strict mode, in which that exits
// where it has no file for that instance.
func allowsInstance(name string, env, argv []string) bool {
	if slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") }) {
		return false
	}
	if name != "NODE_APP_INSTANCE" {
		return true
	}
	const strict = "NODE_CONFIG_STRICT_MODE" // also as an argument
	return !slices.ContainsFunc(env, func(kv string) bool {
		return strings.HasPrefix(kv, strict+"=") && len(kv) > len(strict+"=")
	}) && !slices.ContainsFunc(argv, func(arg string) bool { return strings.Contains(arg, strict) })
}

// WithoutAdded returns the environment that a process below a worker would have
// without nodeinit. env is what it has, given what nodeinit started the worker with
// and before what that was before nodeinit added to it. What others have changed
// since stays changed.
func WithoutAdded(env, given, before []string) []string {
	var own []string
	for _, kv := range env {
		key, value, _ := strings.Cut(kv, "=")
		switch {
		case key == "NODE_OPTIONS":
			added := without(strings.Fields(exec.Getenv(given, key)), strings.Fields(exec.Getenv(before, key)))
			if slices.ContainsFunc(added, func(word string) bool { return strings.Contains(value, word) }) {
				value = strings.Join(without(strings.Fields(value), added), " ")
			}
			if value != "" {
				own = append(own, key+"="+value)
			}
		case slices.Contains(ownVariables, key):
		case slices.Contains(given, kv) && !slices.Contains(before, kv):
			if at := slices.IndexFunc(before, func(other string) bool { return strings.HasPrefix(other, key+"=") }); at >= 0 {
				own = append(own, before[at])
			}
		default:
			own = append(own, kv)
		}
	}
	return own
}

// without returns the words that are not among others.
func without(words, others []string) []string {
	return slices.DeleteFunc(words, func(word string) bool { return slices.Contains(others, word) })
}
