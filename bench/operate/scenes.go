package operate

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/bench/server"
	"github.com/nodeinit/nodeinit/internal/testproc"
)

// set starts what the cell is about and waits until it serves.
func (o *operation) set(ctx context.Context, s *scene, c cell) error {
	ctx, cancel := context.WithTimeoutCause(ctx, testproc.HangLimit, fmt.Errorf("not within %v", testproc.HangLimit))
	defer cancel()
	script, err := c.script()
	if err != nil {
		return err
	}
	s.events = max(1, o.reloads/4)
	s.minEvents = s.events
	switch c.event {
	case eventReload:
		s.events, s.minEvents = o.reloads, o.reloads
	case eventRecycle:
	case eventResize:
		return o.setResize(ctx, s, c, script)
	case eventStop:
		return o.setStop(ctx, s, c, script)
	default:
		return fmt.Errorf("internal error: unknown event %q", c.event)
	}
	if err := server.NewNetwork(); err != nil {
		return err
	}
	switch c.contender {
	case byPM2:
		s.minEvents = min(3, s.events)
		return o.setPM2(ctx, s, c, script)
	case byCluster:
		s.minEvents = min(3, s.events)
		rolling := filepath.Join(filepath.Dir(script), "rolling.js")
		return o.setSignalled(ctx, s, []string{o.node(c), rolling, script}, "restart done", "restart failed")
	case byNodeinit:
		if c.event == eventRecycle {
			return o.setRecycle(ctx, s, c, script)
		}
		return o.setSignalled(ctx, s, o.ours(c, script, "--workers 2 --reload-signal HUP"), `"msg":"reload done"`, `"msg":"reload failed"`)
	default:
		return fmt.Errorf("internal error: unknown contender %q", c.contender)
	}
}

// begin starts the contender on this machine and waits until it serves.
func (o *operation) begin(ctx context.Context, s *scene, argv []string, env ...string) (*player, error) {
	p, err := play("the contender", argv, append(env, o.environment()...))
	if err != nil {
		return nil, err
	}
	s.add(p)
	return p, p.awaitLines(ctx, 0, 2, listens)
}

// setSignalled sets the scene of a contender that reloads on SIGHUP and logs
// the result.
func (o *operation) setSignalled(ctx context.Context, s *scene, argv []string, done, failed string) error {
	p, err := o.begin(ctx, s, argv)
	s.happen = func(ctx context.Context, _ int) error {
		mark := p.mark()
		if err := unix.Kill(p.cmd.Process.Pid, unix.SIGHUP); err != nil {
			return os.NewSyscallError("kill", err)
		}
		return p.await(ctx, mark, done, p.ended, func(lines []string) (bool, error) {
			if countLines(lines, failed) > 0 {
				return false, fmt.Errorf("%s", failed)
			}
			return countLines(lines, done) > 0, nil
		})
	}
	return err
}

func (o *operation) setPM2(ctx context.Context, s *scene, c cell, script string) error {
	home, err := os.MkdirTemp("", "nodeinit-bench-pm2-")
	if err != nil {
		return err
	}
	s.later(func() error { return os.RemoveAll(home) })
	env := []string{"PM2_HOME=" + home, "PM2_DISABLE_VERSION_CHECK=true"}
	bin := filepath.Join(o.pm2, "bin")
	_, err = o.begin(ctx, s, []string{o.node(c), filepath.Join(bin, "pm2-runtime"), "start", script, "-i", "2"}, env...)
	s.happen = func(ctx context.Context, _ int) error {
		_, err := command(ctx, env, o.node(c), filepath.Join(bin, "pm2"), "reload", "all")
		return err
	}
	return err
}

// setRecycle chooses an age at which the workers, two at a time, have been
// replaced so often when the load ends.
func (o *operation) setRecycle(ctx context.Context, s *scene, c cell, script string) error {
	age := max(time.Second, o.duration/time.Duration(s.events/2+1))
	p, err := o.begin(ctx, s, o.ours(c, script, "--workers 2 --max-age "+age.String()))
	s.happen = func(ctx context.Context, i int) error {
		what := fmt.Sprintf("%d recycled workers", i+1)
		return p.await(ctx, 0, what, p.ended, func(lines []string) (bool, error) {
			return recycled(lines) > i, nil
		})
	}
	return err
}

// recycled counts the workers that left because of their age and have ended.
func recycled(lines []string) (n int) {
	leaving := make(map[int]bool)
	for _, line := range lines {
		var entry struct {
			Msg, Why string
			PID      int
		}
		if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &entry) != nil {
			continue // the application's own
		}
		switch {
		case entry.Msg == "worker leaving" && entry.Why == "max_age":
			leaving[entry.PID] = true
		case entry.Msg == "worker ended" && leaving[entry.PID]:
			delete(leaving, entry.PID)
			n++
		}
	}
	return n
}
