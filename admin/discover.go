package admin

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/files"
)

// A Target is the nodeinit to speak to. The zero value is the only one that runs in
// this PID namespace.
type Target struct {
	PID     int    // 0: any
	Control string // its --control; "" is auto
}

// Bounds of the search for a nodeinit.
const (
	maxSocketTable = 32 << 20 // bytes of /proc/net/unix
	maxCandidates  = 64

	connectTimeout = 5 * time.Second // where more clients wait than can
	connectPause   = 10 * time.Millisecond
)

// ErrNone is that no nodeinit was found.
var ErrNone = errors.New("no nodeinit runs here that takes commands (is this its container, and did it start its program?)")

// Dial finds the nodeinit and checks that it is one, as far as the kernel knows: the
// process of the name listens there, as this user or root.
func Dial(t Target) (*Client, error) {
	switch {
	case t.Control == Off:
		return nil, errors.New("that nodeinit takes no commands (it runs with --control off)")
	case t.Control != "" && t.Control != Auto:
		return dialPath(t)
	}
	prefix, err := ownNames()
	if err != nil {
		return nil, err
	}
	if t.PID > 0 {
		c, err := connected(prefix+strconv.Itoa(t.PID), t.PID)
		if errors.Is(err, unix.ECONNREFUSED) {
			err = fmt.Errorf("process %d takes no commands (is it a nodeinit, and did it start its program?)", t.PID)
		}
		return c, err
	}
	return discover(prefix)
}

// dialPath connects to the socket at a path. PID, if known, is the nodeinit that should
// listen there.
func dialPath(t Target) (*Client, error) {
	c, err := connected(t.Control, 0)
	if t.PID > 0 && (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED)) {
		err = fmt.Errorf("nodeinit runs (process %d), but has no control socket at %s: "+
			"it has not started its program yet, or its log says why (no control socket)", t.PID, t.Control)
	}
	return c, err
}

// discover looks for names in the table of all Unix sockets.
func discover(prefix string) (*Client, error) {
	table, err := files.Read("/proc/net/unix", maxSocketTable)
	if err != nil {
		return nil, fmt.Errorf("look for nodeinit: %w", err)
	}
	var found []*Client
	refused := ErrNone
	for _, pid := range listeners(table, prefix) {
		c, err := connected(prefix+strconv.Itoa(pid), pid)
		switch {
		case err == nil:
			found = append(found, c)
		case !errors.Is(err, unix.ECONNREFUSED): // it has not ended meanwhile
			refused = err
		}
	}
	switch len(found) {
	case 0:
		return nil, refused
	case 1:
		return found[0], nil
	}
	var pids []string
	for _, c := range found {
		pids = append(pids, strconv.Itoa(c.pid))
		c.Close()
	}
	return nil, fmt.Errorf("several nodeinits run here (%s): tell with --pid which one", strings.Join(pids, ", "))
}

// listeners returns the numbers at the end of names that begin with prefix, in order, from
// the text of /proc/net/unix (net/unix/af_unix.c, unix_seq_show):
//
//	Num       RefCount Protocol Flags    Type St Inode Path
//	00000000a0b1c2d3: 00000002 00000000 00010000 0001 01 12345 @nodeinit/4026531836/1
//
// A name can have any bytes in it, and what a line says must not be trusted.
func listeners(table []byte, prefix string) (pids []int) {
	const accepts = "00010000" // __SO_ACCEPTCON (include/uapi/linux/net.h)
	for line := range bytes.Lines(table) {
		fields := strings.Fields(string(line))
		if len(fields) != 8 || fields[3] != accepts {
			continue
		}
		number, ok := strings.CutPrefix(fields[7], prefix)
		pid, err := strconv.ParseUint(number, 10, 31)
		if !ok || err != nil || pid == 0 || strconv.FormatUint(pid, 10) != number {
			continue
		}
		pids = append(pids, int(pid))
	}
	slices.Sort(pids)
	pids = slices.Compact(pids)
	return pids[:min(len(pids), maxCandidates)]
}

// connected returns a client with a connection.
func connected(address string, pid int) (*Client, error) {
	conn, err := dial(address, pid)
	if err != nil {
		return nil, err
	}
	return &Client{address: address, pid: pid, first: conn}, nil
}

// dial connects to an address, and checks what listens there.
func dial(address string, pid int) (*os.File, error) {
	fd, err := connect(address)
	for limit := time.Now().Add(connectTimeout); errors.Is(err, unix.EAGAIN) && time.Now().Before(limit); {
		<-time.After(connectPause)
		fd, err = connect(address)
	}
	if err != nil {
		return nil, err
	}
	peer, err := peerOf(fd)
	if err == nil {
		err = checkListener(peer, pid, unix.Geteuid())
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return os.NewFile(uintptr(fd), "control connection"), nil
}
