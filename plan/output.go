package plan

import (
	"strconv"

	"github.com/nodeinit/nodeinit/logs"
)

// An Output is what stdout or stderr of nodeinit is.
type Output int

// The kinds of outputs that make a difference.
const (
	File     Output = iota // or a device such as /dev/null
	Pipe                   // or a socket
	Terminal               // shows each write at once
)

// Outputs are those of the nodeinit that runs the program.
type Outputs struct{ Stdout, Stderr Output }

// A Form is what becomes of what a child writes to one of its outputs.
type Form string

// The forms.
const (
	Raw   Form = "raw"   // the child inherits the output
	Lines Form = "lines" // it has a pipe, from which whole lines are passed on
	JSON  Form = "json"  // likewise, each line as an object
)

// Logs is what becomes of what children write.
type Logs struct {
	Stdout, Stderr Form

	outputs Outputs
	ownText bool // nodeinit's own lines are text
	colors  int  // what FORCE_COLOR is to be for children, 0: nothing
}

// Piped reports which outputs of a child are pipes.
func (l Logs) Piped() (stdout, stderr bool) { return isPiped(l.Stdout), isPiped(l.Stderr) }

func isPiped(f Form) bool { return f == Lines || f == JSON }

// IsJSON reports whether each line becomes an object.
func (l Logs) IsJSON() bool { return l.Stdout == JSON }

// Tagged reports on which outputs the time and the worker stand before each line.
func (l Logs) Tagged() (stdout, stderr bool) {
	return l.Stdout == Lines && l.outputs.Stdout == Terminal, l.Stderr == Lines && l.outputs.Stderr == Terminal
}

// chooseLogs decides between the forms.
func (p *Plan) chooseLogs(o Outputs) {
	p.Logs = Logs{Stdout: p.form(o.Stdout), Stderr: p.form(o.Stderr), outputs: o}
	// Where only one is a terminal, the colours would also come to the file or pipe
	// that the other one is.
	if p.Logs.Stdout == Lines && o == (Outputs{Terminal, Terminal}) {
		p.Logs.colors = logs.ForceColor(p.Program.Getenv)
	}
	p.Logs.ownText = p.config.OwnText(o.own(string(p.config.LogTo)) == Terminal)
}

// own returns the output for nodeinit's own lines.
func (o Outputs) own(to string) Output {
	if to == "stderr" {
		return o.Stderr
	}
	return o.Stdout
}

// form returns the form for an output. Several processes tear each other's lines only
// on a pipe or socket: write(2) to a file or a terminal is atomic to other writers
// (f_pos_lock; tty_write_lock), and Node writes to both synchronously. A terminal is also
// left to prompts.
func (p *Plan) form(o Output) Form {
	switch {
	case p.config.Logs != "auto":
		return Form(p.config.Logs)
	case len(p.config.Redact) > 0, p.Mode == PerCore && o == Pipe:
		return Lines
	default:
		return Raw
	}
}

// logsText says for people what becomes of the output, and why.
func (p *Plan) logsText() string {
	text, why := string(p.Logs.Stdout), ""
	if p.Logs.Stderr != p.Logs.Stdout {
		text += ", stderr " + string(p.Logs.Stderr)
	}
	switch {
	case p.config.Logs != "auto":
		why = p.config.Flag(&p.config.Logs)
	case len(p.config.Redact) > 0:
		why = p.config.Flag(&p.config.Redact)
	case p.Mode == Fork:
		why = "one process"
	case p.Logs.Stdout == Lines || p.Logs.Stderr == Lines:
		why = "workers tear each other's lines on a pipe"
	default:
		why = "to a terminal or a file, not a pipe"
	}
	return text + "  (" + why + ")"
}

// addColors tells a child to use colours where a pipe has replaced a terminal that
// shows them.
func (p *Plan) addColors() {
	if p.Logs.colors == 0 {
		return
	}
	kv := "FORCE_COLOR=" + strconv.Itoa(p.Logs.colors)
	p.Program.Env = append(p.Program.Env[:len(p.Program.Env):len(p.Program.Env)], kv)
	p.EnvAdded = append(p.EnvAdded, kv)
}
