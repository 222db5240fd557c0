package node

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
)

// A Slot is the place of one worker among those of a program.
type Slot struct {
	ID      int // cluster.worker.id: from 1, new for each start; 0 in fork mode
	Slot    int // from 0; a replacement has that of the worker before it
	Workers int // number of slots
	Agent   bool
	// InstanceVar is the variable that gets Slot; "": none.
	InstanceVar string
	// Messages says that in fork mode the program gets messages as soon as it listens for
	// them, also where it opens no server and sends none.
	Messages bool
	// Alone says that the worker gets standard input, and the terminal if there
	// is one.
	Alone bool
}

// Command returns the command that starts p, whose file is at path, in a slot.
// channel is the worker's end of its channel; close it once the command has
// started. inherited is what [exec.Inherited] returned when this process started.
func (p Program) Command(path string, slot Slot, channel int, inherited []int) (exec.Command, error) {
	var stat unix.Stat_t
	err := os.NewSyscallError("fstat", unix.Fstat(channel, &stat))
	if err == nil { // join.js and fork.js read what is in the channel before Node takes it over
		err = os.NewSyscallError("fcntl", unix.SetNonblock(channel, true))
	}
	if err != nil {
		return exec.Command{}, fmt.Errorf("channel of worker %d: %w", slot.Slot, err)
	}
	fd := ChannelFD(p.Join, inherited)
	argv, env := withInspectPort(slot.Slot, p.Argv, p.Env)
	return exec.Command{
		Path: path, Argv: argv, Env: WorkerEnv(argv, env, slot, p.Join, fd, stat.Ino), Dir: p.Dir,
		Channel: channel, ChannelAt: fd, Inherited: inherited, Background: !slot.Alone, Credential: p.Credential,
	}, nil
}

// lateChannelFD is the lowest descriptor for the channel of a late join. Node sets
// close-on-exec on the descriptors it was started with, up to the first gap from 16
// on (uv_disable_stdio_inheritance, libuv 1.44 to 1.52), so that one above a gap
// passes through npm. Shells use 10 to 19 and 255 themselves, shell scripts often
// 200.
const lateChannelFD = 173

// ChannelFD returns the descriptor for the channel in the child: one that is not
// among inherited.
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

// BelowNodeinit reports whether this process was started by a worker of another
// nodeinit that is to join late: it has inherited the channel, named in env.
func BelowNodeinit(env []string) bool {
	words := strings.Split(exec.Getenv(env, "NODEINIT_CHANNEL"), ":") // as in WorkerEnv
	if len(words) != 3 {
		return false
	}
	fd, err := strconv.Atoi(words[0])
	inode, inodeErr := strconv.ParseUint(words[1], 10, 64)
	var stat unix.Stat_t
	return err == nil && inodeErr == nil && unix.Fstat(fd, &stat) == nil && stat.Ino == inode
}
