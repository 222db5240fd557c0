package test

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// document returns the text of a file of this repository.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readme(t *testing.T) string { return document(t, "README.md") }

// block returns the first fenced block of that language in a document.
func block(t *testing.T, name, language string) string {
	t.Helper()
	_, after, found := strings.Cut(document(t, name), "```"+language+"\n")
	text, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatalf("%s has no block of %s", name, language)
	}
	return text
}

// TestReadmeFlags compares the flags of README's table and those of --help.
func TestReadmeFlags(t *testing.T) {
	t.Parallel()
	help, err := run(nodeinit, "--help")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(readme(t), "| flag | default | meaning |")
	table, _, _ = strings.Cut(table, "\n\n")
	flags := func(text string) []string {
		all := regexp.MustCompile(`--[a-z][a-z-]+`).FindAllString(text, -1)
		slices.Sort(all)
		return slices.Compact(all)
	}
	want, _, _ := strings.Cut(help, "\n\n--stop-signal") // what follows is an example
	if got, want := flags(table), flags(want); !slices.Equal(got, want) {
		t.Errorf("README has the flags\n%v, --help\n%v", got, want)
	}
}

// TestReadmeLog checks that the log lines of docs/operating.md are what nodeinit writes, and that of
// README the last of them.
func TestReadmeLog(t *testing.T) {
	t.Parallel()
	init := testproc.Command{
		Argv: []string{nodeinit, "--workers", "2", "--", "node", "../examples/server.js"},
		Env:  append(os.Environ(), "PORT=0"),
	}.Start(t)
	waitUntil(t, "both workers to listen", func() bool {
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
	if got := messages(block(t, "docs/operating.md", "json")); !slices.Equal(got, want) {
		t.Errorf("docs/operating.md shows the lines %q, nodeinit writes %q", got, want)
	}
	if got := messages(block(t, "README.md", "json")); !slices.Equal(got, want[len(want)-1:]) {
		t.Errorf("README shows the lines %q, the last one is %q", got, want[len(want)-1])
	}
}

// readmeDockerfile returns what README makes of a user's Dockerfile: the lines of its diff. It takes
// nodeinit from that image, and the Node that test/images.sh has a stand-in for.
func readmeDockerfile(t *testing.T, nodeinitImage string) string {
	t.Helper()
	var text strings.Builder
	for line := range strings.Lines(block(t, "README.md", "diff")) {
		if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "+") {
			t.Fatalf("README's diff has the line %q", line)
		}
		text.WriteString(line[1:])
	}
	const node, from = "FROM node:24-bookworm-slim\n", "--from=nodeinit "
	if !strings.Contains(text.String(), node) || !strings.Contains(text.String(), from) {
		t.Fatalf("README's Dockerfile has no %q or no %q", node, from)
	}
	return strings.NewReplacer(node, "FROM "+nodeImage+"\n", from, "--from="+nodeinitImage+" ").Replace(text.String())
}

// TestDockerReadme builds the image of nodeinit alone, and with it that of README's user, and talks
// to what runs.
func TestDockerReadme(t *testing.T) {
	t.Parallel()
	image := uniqueName(t)
	alone := image + "-alone"
	docker(t, "build", "--label", "nodeinit-test", "--tag", alone, "..")
	t.Cleanup(func() { cleanUp(t, "docker", "image", "rm", "--force", alone) })
	file := filepath.Join(t.TempDir(), "Dockerfile")
	writeFile(t, file, readmeDockerfile(t, alone), 0o644)
	docker(t, "build", "--file", file, "--label", "nodeinit-test", "--tag", image, "../examples")
	t.Cleanup(func() { cleanUp(t, "docker", "image", "rm", "--force", image) })
	app := runContainer(t, image, "--publish", "127.0.0.1::3000")
	waitUntil(t, "README's image to answer", func() bool {
		body, err := get(app.url("3000"))
		return err == nil && strings.HasPrefix(body, "hello from ")
	})
	// A worker that is asked to stop before it can say how ends by the signal.
	waitUntil(t, "both workers to listen", func() bool { return len(app.logged("worker listening")) == 2 })
	if status := app.stop(); status != 0 {
		t.Errorf("status %d after docker stop, want 0", status)
	}
}

// TestMakeRun does what README says first: make run, open the URL, ^C.
func TestMakeRun(t *testing.T) {
	t.Parallel()
	command := exec.Command("make", "run", "PORT="+freePort(t))
	command.Dir = ".."
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
	waitUntil(t, "both workers of the example to answer", func() bool {
		body, err := get(url)
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

// freePort returns a TCP port that nobody has now.
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
	drawn, err := run("bash", "../docs/picture.sh")
	if err != nil {
		t.Fatal(err)
	}
	if drawn != strings.TrimSpace(document(t, "docs/picture.svg")) {
		t.Error("docs/picture.svg is not what docs/picture.sh draws (bash docs/picture.sh >docs/picture.svg)")
	}
}

// TestReadmeDockerfiles: both Dockerfiles build with the flags of the Makefile.
func TestReadmeDockerfiles(t *testing.T) {
	t.Parallel()
	flag := regexp.MustCompile(`-(trimpath|tags \w+|gcflags=\S+|ldflags="[^"]*")`)
	want := flag.FindAllString(document(t, "Makefile"), -1)
	slices.Sort(want)
	for _, name := range []string{"Dockerfile", "Dockerfile.example"} {
		got := flag.FindAllString(document(t, name), -1)
		slices.Sort(got)
		if len(want) < 5 || !slices.Equal(got, want) {
			t.Errorf("%s builds with\n%q, the Makefile with\n%q", name, got, want)
		}
	}
}
