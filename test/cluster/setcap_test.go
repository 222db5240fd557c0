package cluster

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// mayBindLow gives a file CAP_NET_BIND_SERVICE, as setcap does (capabilities(7),
// struct vfs_cap_data of revision 2, effective).
func mayBindLow(t *testing.T, file string) {
	t.Helper()
	data := make([]byte, 20)
	binary.LittleEndian.PutUint32(data, 0x02000001)
	binary.LittleEndian.PutUint32(data[4:], 1<<unix.CAP_NET_BIND_SERVICE)
	if err := unix.Setxattr(file, "security.capability", data, 0); err != nil {
		t.Fatal(err)
	}
}

// copyTo copies an executable for all to run.
func copyTo(t *testing.T, file, from string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

const lowServer = `const server = require('net').createServer((c) => c.end('ok'));
server.on('error', (e) => console.log(e.message)).listen(80, '127.0.0.1', () => console.log('listening'));`

// said waits until both workers have said what.
func said(t *testing.T, p *testproc.Process, what string) {
	t.Helper()
	harness.WaitUntil(t, "two workers say "+what, func() bool { return strings.Count(p.Output(), what+"\n") == 2 })
}

// Where node has the capability to bind low ports and nodeinit has not, workers
// listen on them all the same; where neither has, they see why not.
func TestBindsLowPortsThatNodeMay(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root")
	}
	dir := harness.ShortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	copyTo(t, filepath.Join(dir, "nodeinit"), harness.Nodeinit)
	copyTo(t, filepath.Join(dir, "node"), harness.NodeBinary(t, harness.NewestLine))
	copyTo(t, filepath.Join(dir, "plain"), filepath.Join(dir, "node"))
	mayBindLow(t, filepath.Join(dir, "node"))
	if err := os.WriteFile(filepath.Join(dir, "server.js"), []byte(lowServer), 0o644); err != nil {
		t.Fatal(err)
	}
	start := func(t *testing.T, flags, node string) *testproc.Process {
		script := fmt.Sprintf(`ip link set lo up && echo 1024 >/proc/sys/net/ipv4/ip_unprivileged_port_start &&
			exec setpriv --reuid %d --regid %d --clear-groups ./nodeinit --log-level warn --grace 10m %s -- ./%s server.js`, otherUser, otherUser, flags, node)
		c := testproc.Command{PID1: true, Dir: dir, Argv: []string{"/bin/sh", "-c", script}}
		c.Attr.Cloneflags |= unix.CLONE_NEWNET
		return c.Start(t)
	}
	for _, balance := range allBalances {
		t.Run(balance, func(t *testing.T) {
			p := start(t, "--mode per-core --workers 2 --balance "+balance, "node")
			said(t, p, "listening")
			p.Signal(unix.SIGTERM)
			p.WaitCode(harness.Terminated)
		})
	}
	t.Run("neither", func(t *testing.T) {
		p := start(t, "--mode per-core --workers 2", "plain")
		said(t, p, "bind EACCES 127.0.0.1:80")
		p.WaitCode(0) // with nothing to do both exit by themselves
	})
}
