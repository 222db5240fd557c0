package docker

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// askFromPerl asks the control socket named by its argument, and prints the answer. (libuv of
// Node 20 fills abstract names up with zero bytes.)
const askFromPerl = `
	$SIG{PIPE} = "IGNORE";
	socket(S, AF_UNIX, SOCK_STREAM, 0) and connect(S, pack("S a*", AF_UNIX, "\0" . substr($ARGV[0], 1))) or die $!;
	syswrite S, "{\"version\":1,\"op\":\"health\"}\n";
	print $answer while sysread S, $answer, 4096;`

// Two containers on the host's network reach each other's control sockets, and the host both: each
// nodeinit serves its own container only, and in that only its user and root.
func TestControlSocketOnTheHostNetwork(t *testing.T) {
	t.Parallel()
	hardened := []string{"--network", "host", "--env", "PORT=0", "--read-only", "--cap-drop", "ALL"}
	start := func(user string) *container {
		return runMounted(t, nodeImage, append(hardened, "--user", user, "--", "node", "server.js")...)
	}
	root, nobody := start("0:0"), start("65534:65534")
	for _, c := range []*container{root, nobody} {
		harness.WaitUntil(t, "health", func() bool {
			out, err := harness.Run("docker", "exec", c.name, "/nodeinit", "health")
			return err == nil && strings.HasPrefix(out, "healthy: ")
		})
	}
	names := make(map[*container]string)
	for _, c := range []*container{root, nobody} {
		namespace, err := os.Readlink(fmt.Sprintf("/proc/%s/ns/pid", c.inspect(".State.Pid")))
		if err != nil {
			t.Fatal(err)
		}
		names[c] = "@nodeinit/" + strings.Trim(namespace, "pid:[]") + "/1"
	}
	const refused = `{"error":"only root and the user of nodeinit may use its control socket, and only from within its PID namespace"}`
	healthy := `{"version":1,"healthy":true,`
	for _, ask := range []struct {
		from *container
		user string
		to   *container
		want string
	}{
		{root, "0:0", root, healthy},
		{nobody, "65534:65534", nobody, healthy},
		{nobody, "0:0", nobody, healthy},
		{root, "65534:65534", root, refused},
		{nobody, "1000:1000", nobody, refused},
		{root, "0:0", nobody, refused},
		{nobody, "0:0", root, refused},
		{root, "65534:65534", nobody, refused},
		{nobody, "65534:65534", root, refused},
	} {
		got := docker(t, "exec", "--user", ask.user, ask.from.name, "perl", "-MSocket", "-e", askFromPerl, names[ask.to])
		if !strings.HasPrefix(got, ask.want) {
			t.Errorf("user %s of %s asks %s: %s", ask.user, ask.from.name, ask.to.name, got)
		}
	}
	for c, name := range names {
		conn, err := net.Dial("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(testproc.HangLimit))
		_, _ = io.WriteString(conn, `{"version":1,"op":"health"}`+"\n")
		if answer, _ := io.ReadAll(conn); strings.TrimSpace(string(answer)) != refused {
			t.Errorf("the host asks %s: %s", c.name, answer)
		}
		conn.Close()
	}
	if out, err := harness.Run("docker", "exec", "--user", "1000:1000", nobody.name, "/nodeinit", "health"); err == nil || !strings.Contains(err.Error(), "exit status 1\n") || !strings.Contains(err.Error(), "user 65534") {
		t.Errorf("health as another user: %q, %v", out, err)
	}
}
