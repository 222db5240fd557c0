package operate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/bench/server"
)

// nodeImage has what Node needs; the Node of the row is mounted.
const nodeImage = "node:20-bookworm-slim"

// ourLabel marks containers and networks, and tells whose they are.
const ourLabel = "nodeinit-bench"

// contain runs a command in a container, whose name is unique to this bench.
// Files are mounted where they are outside, so a command line fits both.
func (o *operation) contain(s *scene, name, image string, flags, env, argv []string) (*player, error) {
	docker := []string{"docker", "run", "--rm", "--pull", "never", "--name", name, "--label", label()}
	testdata, err := filepath.Abs("bench/testdata")
	if err != nil {
		return nil, err
	}
	mounts := slices.Concat([]string{o.nodeinit, o.nodes, o.tls, testdata}, strings.Split(o.modules, ":"))
	for _, path := range mounts {
		if path != "" {
			docker = append(docker, "--volume", path+":"+path+":ro")
		}
	}
	for _, variable := range env {
		docker = append(docker, "--env", variable)
	}
	p, err := play(name, slices.Concat(docker, flags, []string{image}, argv), nil)
	if err != nil {
		return nil, err
	}
	s.add(p)
	s.later(func() error {
		_ = p.cmd.Process.Kill() // first, or it might start the container afterwards; may have ended
		<-p.ended
		return removeContainer(name)
	})
	return p, nil
}

func label() string { return ourLabel + "=" + strconv.Itoa(os.Getpid()) }

// removeContainer also stops one that runs. One that is gone is fine.
func removeContainer(name string) error {
	_, err := command(context.Background(), nil, "docker", "rm", "--force", "--volumes", name)
	if err != nil && (strings.Contains(err.Error(), "No such container") || strings.Contains(err.Error(), "already in progress")) {
		return nil
	}
	return err
}

// uniqueName is a name for a container or a network of this bench.
func uniqueName(of string) string { return fmt.Sprintf("%s-%d-%s", ourLabel, os.Getpid(), of) }

// removeLeftovers removes what a bench left that was killed.
func removeLeftovers(ctx context.Context) error {
	for _, kind := range [][]string{
		{"docker", "ps", "--all", "--filter", "label=" + ourLabel, "--format", `{{.ID}} {{.Label "` + ourLabel + `"}}`},
		{"docker", "network", "ls", "--filter", "label=" + ourLabel, "--format", `{{.ID}} {{.Label "` + ourLabel + `"}}`},
	} {
		out, err := command(ctx, nil, kind...)
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			id, owner, _ := strings.Cut(strings.TrimSpace(line), " ")
			pid, err := strconv.Atoi(owner)
			if err == nil && server.Alive(pid) && pid != os.Getpid() {
				continue
			}
			remove := removeContainer
			if kind[1] == "network" {
				remove = removeNetwork
			}
			if err := remove(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func removeNetwork(name string) error {
	_, err := command(context.Background(), nil, "docker", "network", "rm", name)
	return err
}

// enter moves the calling thread, and what it starts from now on, to the network
// of a container. So the load is the same as without one, and can come from many
// addresses. It stays outside the container's cgroup.
func enter(ctx context.Context, name string) error {
	pid, err := command(ctx, nil, "docker", "inspect", "--format", "{{.State.Pid}}", name)
	if err != nil {
		return err
	}
	network, err := os.Open("/proc/" + pid + "/ns/net")
	if err != nil {
		return err
	}
	defer network.Close()
	if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("setns", err)
	}
	return server.PrepareNetwork()
}

// setResize sets the scene of a container whose CPU limit changes.
func (o *operation) setResize(ctx context.Context, s *scene, c cell, script string) error {
	name := uniqueName("resize")
	p, err := o.contain(s, name, nodeImage, []string{"--cpus", "2"}, o.environment(), o.ours(c, script, ""))
	if err != nil {
		return err
	}
	if err := p.awaitLines(ctx, 0, 2, listens); err != nil {
		return err
	}
	s.happen = func(ctx context.Context, i int) error {
		cpus := 1 + i%2
		mark := p.mark()
		if _, err := command(ctx, nil, "docker", "update", "--cpus", strconv.Itoa(cpus), name); err != nil {
			return err
		}
		return p.awaitLines(ctx, mark, 1, `"msg":"scaled"`, fmt.Sprintf(`"workers":%d`, cpus))
	}
	return enter(ctx, name)
}

// A replica is one of two containers behind nginx.
type replica struct {
	*player
	address string
}

// setStop sets the scene of two replicas behind nginx, of which one is stopped
// and followed by a new one in its place, in turn.
func (o *operation) setStop(ctx context.Context, s *scene, c cell, script string) error {
	network := uniqueName("net")
	subnet := fmt.Sprintf("10.213.%d.", os.Getpid()%256)
	_, err := command(ctx, nil, "docker", "network", "create", "--label", label(), "--subnet", subnet+"0/24", network)
	if err != nil {
		return err
	}
	s.later(func() error { return removeNetwork(network) })
	count := 0
	begin := func(ctx context.Context, place int) (*replica, error) {
		count++
		name := uniqueName(fmt.Sprintf("replica%d", count))
		r := &replica{address: fmt.Sprintf("%s%d", subnet, 10+place)}
		env := append(o.environment(), fmt.Sprintf("BENCH_REPLICA=%d", count))
		r.player, err = o.contain(s, name, nodeImage, []string{"--network", network, "--ip", r.address}, env, o.ours(c, script, "--workers 2"))
		if err != nil {
			return nil, err
		}
		return r, r.awaitLines(ctx, 0, 2, listens)
	}
	replicas := make([]*replica, 2)
	for place := range replicas {
		if replicas[place], err = begin(ctx, place); err != nil {
			return err
		}
	}
	if err := o.beginNginx(ctx, s, c, network, replicas); err != nil {
		return err
	}
	s.happen = func(ctx context.Context, i int) error {
		place := i % 2
		if _, err := command(ctx, nil, "docker", "stop", replicas[place].name); err != nil {
			return err
		}
		select {
		case <-replicas[place].ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if replicas[place], err = begin(ctx, place); err != nil {
			return err
		}
		return awaitAnswerOf(count)
	}
	return errors.Join(awaitAnswerOf(1), awaitAnswerOf(2))
}
