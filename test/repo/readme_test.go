package repo

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// TestReadmeFlags compares the flags of README's table and those of --help, which has the
// letters of those in groups that have one.
func TestReadmeFlags(t *testing.T) {
	t.Parallel()
	help, err := harness.Run(harness.Nodeinit, "--help")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(harness.Document(t, "README.md"), "| flag | default | meaning |")
	table, _, _ = strings.Cut(table, "\n\n")
	flags := func(text string) []string {
		text = regexp.MustCompile("(`?-[a-z]`?), `?--[a-z]+(-[a-z]+)*").ReplaceAllString(text, " $1")
		all := regexp.MustCompile(`--[a-z][a-z-]+|[ \x60]-[a-z]\b`).FindAllString(text, -1)
		for i := range all {
			all[i] = strings.Trim(all[i], " `")
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	if got, want := flags(table), flags(help); !slices.Equal(got, want) {
		t.Errorf("README has the flags\n%v, --help\n%v", got, want)
	}
}

// TestReadmeLog checks that the log lines of docs/operating.md are what nodeinit writes, and that of
// README the last of them.
func TestReadmeLog(t *testing.T) {
	t.Parallel()
	init := testproc.Command{
		Argv: []string{harness.Nodeinit, "--workers", "2", "--", "node", "../../examples/server.js"},
		Env:  append(os.Environ(), "PORT=0"),
	}.Start(t)
	harness.WaitUntil(t, "both workers to listen", func() bool {
		return strings.Count(init.Output(), `"msg":"worker listening"`) == 2
	})
	init.Signal(unix.SIGTERM)
	init.WaitCode(0)
	messages := func(text string) (msgs []string) {
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "{") {
				continue // the program's
			}
			var fields struct{ Msg string }
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			msgs = append(msgs, fields.Msg)
		}
		return msgs
	}
	want := messages(init.Output())
	if got := messages(harness.Block(t, "docs/operating.md", "json")); !slices.Equal(got, want) {
		t.Errorf("docs/operating.md shows the lines %q, nodeinit writes %q", got, want)
	}
	if got := messages(harness.Block(t, "README.md", "json")); !slices.Equal(got, want[len(want)-1:]) {
		t.Errorf("README shows the lines %q, the last one is %q", got, want[len(want)-1])
	}
}

// TestMakeRun does what README says first: make run, open the URL, ^C.
func TestMakeRun(t *testing.T) {
	t.Parallel()
	command := exec.Command("make", "run", "PORT="+freePort(t))
	command.Dir = "../.."
	terminal, err := pty.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	output := make(chan string)
	go func() {
		text, _ := io.ReadAll(terminal) // ends with EIO when make has ended
		output <- string(text)
	}()
	url := "http://localhost:" + strings.TrimPrefix(command.Args[2], "PORT=") + "/"
	// Each worker has: one that gets ^C before it can say how to stop ends by it.
	answers := make(map[string]bool)
	harness.WaitUntil(t, "both workers of the example to answer", func() bool {
		body, err := harness.Get(url)
		if err == nil && strings.HasPrefix(body, "hello from ") {
			answers[body] = true
		}
		return len(answers) == 2
	})
	if _, err := terminal.Write([]byte{'C' - '@'}); err != nil {
		t.Fatal(err)
	}
	// With workers nodeinit keeps the terminal, and ^C is for make too.
	if err := command.Wait(); err != nil && err.Error() != "signal: interrupt" {
		t.Errorf("make run after ^C: %v", err)
	}
	text := <-output
	for _, want := range []string{url, "listening on port", "SIGINT: finishing", "starts=2 status=0"} {
		if !strings.Contains(text, want) {
			t.Errorf("make run did not print %q:\n%s", want, text)
		}
	}
}

// freePort returns a TCP port that is free now.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestReadmePicture: the picture is what its script draws.
func TestReadmePicture(t *testing.T) {
	t.Parallel()
	drawn, err := harness.Run("bash", "../../docs/picture.sh")
	if err != nil {
		t.Fatal(err)
	}
	if drawn != strings.TrimSpace(harness.Document(t, "docs/picture.svg")) {
		t.Error("docs/picture.svg is not what docs/picture.sh draws (bash docs/picture.sh >docs/picture.svg)")
	}
}

// TestReadmeDockerfiles: both Dockerfiles build with the flags of the Makefile.
func TestReadmeDockerfiles(t *testing.T) {
	t.Parallel()
	flag := regexp.MustCompile(`-(trimpath|tags \w+|gcflags=\S+|ldflags="[^"]*")`)
	want := flag.FindAllString(harness.Document(t, "Makefile"), -1)
	slices.Sort(want)
	for _, name := range []string{"Dockerfile", "Dockerfile.example"} {
		got := flag.FindAllString(harness.Document(t, name), -1)
		slices.Sort(got)
		if len(want) < 5 || !slices.Equal(got, want) {
			t.Errorf("%s builds with\n%q, the Makefile with\n%q", name, got, want)
		}
	}
}
