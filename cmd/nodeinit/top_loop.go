package main

import (
	"os"
	"os/signal"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/admin"
	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/logs"
)

// noticeTime is for how many documents the end of a reload, or an error, is shown.
const noticeTime = 10

// A live is top on a terminal. It belongs to the goroutine of run. What may block is done
// by others, which send a message: one reads keys, one asks the server, one follows a
// reload; and one writes the frame.
type live struct {
	app      *app
	server   *admin.Client // of ask
	terminal *terminal
	keys     keyParser
	screen   screen
	view     view
	messages chan *message

	reloading  bool
	noticeLeft int // documents until the notice goes; 0: it stays

	ended bool // run is to return code and err
	code  int
	err   error
}

// A message is what came of something that may block. The kind says which fields count.
type message struct {
	kind     messageKind
	typed    []byte
	document *admin.Document
	text     string
	err      error
	panicked any
}

type messageKind int

const (
	gotKeys     messageKind = iota // typed; nil: the terminal has hung up
	gotDocument                    // document or err
	reloadStep                     // text
	reloadEnd                      // text or err
	gotPanic                       // panicked
)

// topLive runs top on the terminal on stdout. It returns the status to exit with, or what
// to tell once the terminal is restored.
func topLive(a *app, s *admin.Client) (code int, err error) {
	d, err := s.Status()
	if err != nil {
		return 0, err
	}
	t, err := openTerminal()
	if err != nil {
		return 0, err
	}
	l := &live{app: a, server: s, terminal: t, messages: make(chan *message)}
	l.screen.utf8 = isUTF8(a.environ)
	l.screen.styles = logs.ColorLevel(func(key string) string { return exec.Getenv(a.environ, key) }) > 0
	l.view.update(d)
	return l.run()
}

// run shows top until it is to end, and restores the terminal, after a panic too.
func (l *live) run() (code int, err error) {
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGTSTP, unix.SIGCONT, unix.SIGWINCH)
	defer l.terminal.leave()
	l.failOn(l.terminal.enter())
	go l.readKeys()
	go l.ask()
	for {
		l.draw()
		if l.ended {
			return l.code, l.err
		}
		select {
		case sig := <-caught:
			l.onSignal(sig)
		case m := <-l.messages:
			l.onMessage(m)
		case err := <-l.terminal.written:
			l.terminal.writing = false
			l.failOn(err)
		}
	}
}

func (l *live) end(code int) { l.ended, l.code = true, code }

func (l *live) failOn(err error) {
	if err != nil {
		l.ended, l.err = true, err
	}
}

// draw starts to write a frame, unless one is being written: then run draws later.
func (l *live) draw() {
	if l.terminal.writing || l.ended {
		return
	}
	l.screen.begin(terminalSize())
	l.view.draw(&l.screen)
	if len(l.screen.frame) > 0 {
		l.terminal.write(l.screen.frame)
	}
}

// sendPanic is deferred by the goroutines of l: run has the terminal to restore.
func (l *live) sendPanic() {
	if p := recover(); p != nil {
		l.messages <- &message{kind: gotPanic, panicked: p}
	}
}

func (l *live) readKeys() {
	readKeys(l.terminal.in, func(typed []byte) { l.messages <- &message{typed: typed} })
	l.messages <- &message{}
}

// ask asks for the next document, each second.
func (l *live) ask() {
	defer l.sendPanic()
	for {
		<-time.After(topInterval)
		d, err := l.server.Status()
		l.messages <- &message{kind: gotDocument, document: d, err: err}
	}
}

// reload has the workers replaced, and tells the steps.
func (l *live) reload() {
	defer l.sendPanic()
	m, start := &message{kind: reloadEnd}, time.Now()
	s, err := dial(l.app) // a client is for one goroutine
	if err == nil {
		m.text, err = s.Reload(func(e admin.Event) {
			step := appendStep(nil, time.Since(start), e)
			l.messages <- &message{kind: reloadStep, text: string(step[:len(step)-1])}
		})
	}
	if err != nil {
		m.text = "reload failed: " + err.Error()
	}
	l.messages <- m
}

func (l *live) onSignal(sig os.Signal) {
	switch sig {
	case unix.SIGWINCH: // draw asks for the size
	case unix.SIGTSTP:
		l.suspend()
	case unix.SIGCONT: // after SIGSTOP too, which leaves the terminal as it was
		l.failOn(l.terminal.enter())
		l.screen.shown = nil
	case unix.SIGINT:
		l.end(0)
	default:
		l.end(128 + int(sig.(unix.Signal)))
	}
}

func (l *live) suspend() {
	l.failOn(l.terminal.suspend())
	l.screen.shown = nil
}

func (l *live) onMessage(m *message) {
	switch m.kind {
	case gotKeys:
		if m.typed == nil {
			l.end(128 + int(unix.SIGHUP))
		}
		l.onTyped(m.typed)
	case gotDocument:
		l.onDocument(m)
	case reloadStep:
		l.notify("reload:"+m.text, 0)
	case reloadEnd:
		l.reloading = false
		l.notify(m.text, noticeTime)
	case gotPanic:
		panic(m.panicked)
	}
}

func (l *live) onDocument(m *message) {
	if l.noticeLeft > 0 {
		if l.noticeLeft--; l.noticeLeft == 0 {
			l.view.notice = ""
		}
	}
	switch pid := l.view.document.Nodeinit.PID; {
	case m.err == nil:
		l.view.update(m.document)
	case hasEnded(pid, m.err):
		l.failOn(endedError(pid))
	default:
		l.notify("nodeinit (pid "+strconv.Itoa(pid)+"): "+m.err.Error(), noticeTime)
	}
}

// notify shows text in the last row, for so many documents or, with 0, until something
// else is to be shown.
func (l *live) notify(text string, documents int) { l.view.notice, l.noticeLeft = text, documents }

func (l *live) onTyped(typed []byte) {
	keys := l.keys.parse(typed)
	for _, key := range keys {
		switch {
		case key == keyInterrupt:
			l.end(0)
		case key == keySuspend:
			l.suspend()
		case key == keyRedraw:
			l.screen.shown = nil
		case l.view.question != "":
			l.view.question = ""
			if key == 'y' && len(keys) == 1 { // not in a text that was pasted
				l.reloading = true
				l.notify("reload: requested", 0)
				go l.reload()
			}
		case key == 'q':
			l.end(0)
		case l.view.help:
			l.view.help = false
		default:
			l.onKey(key)
		}
	}
}

func (l *live) onKey(key byte) {
	if !l.reloading {
		l.notify("", 0)
	}
	switch key {
	case 'h', '?':
		l.view.help = true
	case 's':
		l.view.order = (l.view.order + 1) % len(orders)
		l.view.sort()
	case 'r':
		if !l.reloading {
			l.view.question = "reload? y/n"
		}
	}
}
