package logs

import (
	"os"
	"regexp"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// pipeSize is the most that an ordinary user may ask for (pipe(7), pipe-max-size). What a
// process has written when it ends is not lost, and process.exit() in Node loses what the
// pipe has no room for.
const pipeSize = 1 << 20

// Options say what becomes of the lines of processes. The zero value has them written as
// they are.
type Options struct {
	JSON        bool    // each becomes an object
	Fields      *Fields // of the objects; nil: the default
	NoMultiline bool    // a stack trace is not one object
	StripColors bool    // text in objects loses ANSI colours

	// Redact is what is replaced in each line, before anything else is done with it.
	Redact []*regexp.Regexp
	// Prefix, if set, returns what is written before a line of text. It is called for
	// each; the result is not kept.
	Prefix func(Source) []byte
	// OnDrop, if set, is told of lines that could not be written, when others can again.
	// It must not block.
	OnDrop func(lines uint64)
}

// Streams read what processes write to stdout and stderr, and write it to the Outputs in
// whole lines. Each stream has a pipe and a goroutine of its own.
type Streams struct {
	out, err *Output
	options  Options

	mu   sync.Mutex
	open map[*stream]int // those being read, with the process ID
}

// NewStreams returns Streams to out and err, which may be the same.
func NewStreams(out, err *Output, o Options) *Streams {
	return &Streams{out: out, err: err, options: o, open: make(map[*stream]int)}
}

// Pipes are those of one process. Stdout and Stderr are the ends to give to it, 0 if it
// inherits that descriptor instead. They are close-on-exec and blocking.
type Pipes struct {
	Stdout, Stderr int

	streams        *Streams
	stdout, stderr *os.File // the ends that are read
}

// Open returns the pipes for a process that is to be started; stdout and stderr tell
// which it is to have. [Pipes.Started] or [Pipes.Close] must follow.
func (s *Streams) Open(stdout, stderr bool) (*Pipes, error) {
	p := &Pipes{streams: s}
	var err error
	if stdout {
		s.out.enlarge()
		p.stdout, p.Stdout, err = newPipe()
	}
	if stderr && err == nil {
		s.err.enlarge()
		p.stderr, p.Stderr, err = newPipe()
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// newPipe returns a pipe of which only the end that is read is non-blocking.
func newPipe() (r *os.File, w int, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, 0, os.NewSyscallError("pipe2", err)
	}
	_, _ = unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, pipeSize) // refused after 64 MiB (pipe(7), pipe-user-pages-soft)
	_ = unix.SetNonblock(fds[0], true)                                 // so that NewFile adds it to Go's poller
	return os.NewFile(uintptr(fds[0]), "pipe"), fds[1], nil
}

// Started begins to read what the process pid writes, that of the slot worker or, if that
// is -1, another one. It closes the ends that the process has got.
func (p *Pipes) Started(worker, pid int) {
	p.closeWriteEnds()
	p.streams.read(p.stdout, p.streams.out, Source{Worker: worker, PID: pid})
	p.streams.read(p.stderr, p.streams.err, Source{Worker: worker, PID: pid, Stderr: true})
	p.stdout, p.stderr = nil, nil
}

// Close closes the pipes of a process that has not started. After Started it does nothing.
func (p *Pipes) Close() {
	p.closeWriteEnds()
	_ = p.stdout.Close() // fails for nil
	_ = p.stderr.Close()
}

func (p *Pipes) closeWriteEnds() {
	for _, fd := range []*int{&p.Stdout, &p.Stderr} {
		if *fd != 0 {
			_ = unix.Close(*fd)
			*fd = 0
		}
	}
}

func (s *Streams) read(pipe *os.File, out *Output, source Source) {
	if pipe == nil {
		return
	}
	st := newStream(pipe, out, source, &s.options, s.alone)
	s.mu.Lock()
	s.open[st] = source.PID
	s.mu.Unlock()
	go func() {
		st.run()
		s.mu.Lock()
		delete(s.open, st)
		s.mu.Unlock()
	}()
}

// alone reports whether a single process has pipes.
func (s *Streams) alone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pids := make(map[int]bool, 1)
	for _, pid := range s.open {
		pids[pid] = true
	}
	return len(pids) == 1
}

// Drain reads and writes what processes have written before the call, and ends the lines
// that they have not ended: call it when nothing that matters runs any more. It waits for
// no process. It gives up when no output has made progress for stall.
func (s *Streams) Drain(stall time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.mu.Lock()
		var all sync.WaitGroup
		for st := range s.open {
			all.Go(st.drain)
		}
		s.mu.Unlock()
		all.Wait()
	}()
	written := s.written()
	for {
		select {
		case <-done:
			return
		case <-time.After(stall):
			now := s.written()
			if now == written {
				return
			}
			written = now
		}
	}
}

// written returns a number that changes with what is written.
func (s *Streams) written() uint64 { return s.out.written.Load() + s.err.written.Load() }
