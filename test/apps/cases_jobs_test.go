package apps

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// A listener for its parent's messages keeps no program alive that has done its
// work.
func TestCase01MessageListener(t *testing.T) {
	onBoth(t, func(t *testing.T, workers int) {
		t.Run("job", func(t *testing.T) {
			t.Parallel()
			r := startCase(t, workers, caseCommand(t, asked(workers), "message-listener", "node", "job.js"))
			r.WaitCode(0)
			if n := strings.Count(r.Output(), "work done\n"); n != 1 {
				t.Errorf("the work was done %d times", n)
			}
		})
		t.Run("server", func(t *testing.T) {
			t.Parallel()
			r := startCase(t, workers, caseCommand(t, asked(workers), "message-listener", "node", "server.js"))
			r.serves()
			r.ends(0)
		})
	})
}

// What comes on standard input is one program's, whole and in order.
func TestCase10StdioServer(t *testing.T) {
	onBoth(t, func(t *testing.T, workers int) {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c := caseCommand(t, asked(workers)+"--log-level off", "stdio-server", "node", "server.js")
		c.Stdin = read
		r := startCase(t, workers, c)
		read.Close()
		var want []string
		for id := range 20 {
			// More than a pipe holds, so that several readers would each get a part.
			message := fmt.Sprintf(`{"id":%d,"params":"%s"}`, id, strings.Repeat("x", 90000))
			if _, err := io.WriteString(write, message+"\n"); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf("pong %d", id))
		}
		write.Close()
		r.WaitCode(0)
		if got := strings.Split(strings.TrimSpace(r.Output()), "\n"); !slices.Equal(got, want) {
			t.Errorf("answers %q, want one to each of 20", got)
		}
	})
}

// A program that does not listen runs once, and its end is the container's.
func TestCase14OneOff(t *testing.T) {
	onBoth(t, func(t *testing.T, workers int) {
		r := startCase(t, workers, caseCommand(t, asked(workers), "one-off", "node", "seed.js"))
		r.WaitCode(0)
		if n := strings.Count(r.Output(), "a row\n"); n != 1 {
			t.Errorf("it ran %d times", n)
		}
	})
}
