package admin

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/rawjson"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A client makes a connection for each request. It sends one line, and the server
// answers with lines and closes the connection. Each line is a JSON object.
const (
	opStatus = "status" // answer: a Document
	opHealth = "health" // answer: healthy and text
	opReload = "reload" // answer: accepted at once, then events, then done and text
	opScale  = "scale"  // the same

	// A socket comes with the first byte of the request (SCM_RIGHTS), for the worker.
	// Answer: an event, when the worker has it; then the client ends its half.
	opProfile = "profile"
)

// Bounds of what the two sides accept.
const (
	maxRequest = 4 << 10  // bytes of a request
	maxAnswer  = 16 << 20 // bytes of a line of an answer: the command line of the program is in it

	requestTimeout = 5 * time.Second // from the connection to the end of the request
	writeTimeout   = 5 * time.Second // for each line of an answer

	maxConnections = 16
	maxLong        = 12 // of these, connections with another request than health: that is to be answered always
	maxFollowers   = 8  // of these, connections that follow an operation: status is to go on
)

// A request is what a client asks for.
type request struct {
	Version int
	Op      string
	Workers int  // of scale; 0: as many as the limits are good for
	Force   bool // of scale: more than the limits are good for too; and of profile

	// Of profile; see [Profile].
	Kind    string
	Seconds float64
	Worker  int
	socket  int // a descriptor to send along; 0: none
}

func (q request) appendJSON(b []byte) []byte {
	b = append(b, `{"version":`...)
	b = strconv.AppendInt(b, int64(q.Version), 10)
	b = append(b, `,"op":`...)
	b = logs.AppendString(b, q.Op)
	if q.Op == opScale {
		b = append(b, `,"workers":`...)
		b = strconv.AppendInt(b, int64(q.Workers), 10)
		b = append(b, `,"force":`...)
		b = strconv.AppendBool(b, q.Force)
	}
	if q.Op == opProfile {
		b = append(b, `,"kind":`...)
		b = logs.AppendString(b, q.Kind)
		b = append(b, `,"seconds":`...)
		b = strconv.AppendFloat(b, q.Seconds, 'f', -1, 64)
		b = append(b, `,"worker":`...)
		b = strconv.AppendInt(b, int64(q.Worker), 10)
		b = append(b, `,"force":`...)
		b = strconv.AppendBool(b, q.Force)
	}
	return append(b, "}\n"...)
}

func (q request) profile() Profile {
	return Profile{Kind: q.Kind, Seconds: q.Seconds, Worker: q.Worker, Force: q.Force}
}

// parseRequest reads the line of a client. An error is for that client.
func parseRequest(line []byte) (request, error) {
	q := request{Version: -1}
	value, err := rawjson.Parse(line)
	o := rawjson.Decoder{From: value}
	o.Int("version", &q.Version)
	o.Text("op", &q.Op)
	o.Int("workers", &q.Workers)
	o.Bool("force", &q.Force)
	o.Text("kind", &q.Kind)
	o.Float("seconds", &q.Seconds)
	o.Int("worker", &q.Worker)
	switch {
	case err != nil, q.Version < 0:
		return request{}, errors.New("not a request of the control protocol")
	case q.Version != ProtocolVersion:
		return request{}, versionError(q.Version)
	case o.Wrong != "":
		return request{}, fmt.Errorf("not a request of version %d: the value of %s is wrong", ProtocolVersion, o.Wrong)
	}
	switch q.Op {
	case opStatus, opHealth, opReload:
	case opScale:
		if q.Workers < 0 {
			return request{}, fmt.Errorf("%d is not a number of workers", q.Workers)
		}
	case opProfile:
		if err := q.profile().check(); err != nil {
			return request{}, err
		}
	default:
		return request{}, fmt.Errorf("this nodeinit knows no request %q", logs.Truncate(q.Op))
	}
	return q, nil
}

var errAnswer = errors.New("not an answer of the control protocol")

// decodeAnswer reads a line of the server, which is an object.
func decodeAnswer(line []byte, decode func(*rawjson.Decoder)) error {
	value, err := rawjson.Parse(line)
	o := rawjson.Decoder{From: value}
	decode(&o)
	switch {
	case err != nil || !value.IsObject():
		return errAnswer
	case o.Wrong != "":
		return fmt.Errorf("%w: the value of %s is wrong", errAnswer, o.Wrong)
	}
	return nil
}

// A versionError is the version of a client that the server does not speak.
type versionError int

func (v versionError) Error() string {
	return "this nodeinit speaks version " + strconv.Itoa(ProtocolVersion) + " of the control protocol, not " +
		strconv.Itoa(int(v)) + " (use the client of the same nodeinit)"
}

// An Event is a step of a reload or scale.
type Event struct {
	Slot int
	PID  int
	Step string
	Text string
}

// An answer is a line of the server, but for a Document.
type answer struct {
	Event   *Event
	Done    bool
	Healthy *bool
	Text    string
	Error   string
	Version int
}

func (a *answer) decode(o *rawjson.Decoder) {
	o.Object("event", func(o *rawjson.Decoder) {
		a.Event = new(Event)
		o.Int("slot", &a.Event.Slot)
		o.Int("pid", &a.Event.PID)
		o.Text("step", &a.Event.Step)
		o.Text("text", &a.Event.Text)
	})
	o.Bool("done", &a.Done)
	if healthy := o.From.Get("healthy"); healthy != nil {
		a.Healthy = new(bool)
		o.Bool("healthy", a.Healthy)
	}
	o.Text("text", &a.Text)
	o.Text("error", &a.Error)
	o.Int("version", &a.Version)
}

// parseAnswer reads a line of the server. For root that may be a program of any user, and
// what a terminal would obey is escaped.
func parseAnswer(line []byte) (a answer, err error) {
	if err = decodeAnswer(line, a.decode); err != nil {
		return answer{}, err
	}
	if a.Error != "" {
		return answer{}, errors.New(printable(a.Error))
	}
	a.Text = printable(a.Text)
	if a.Event != nil {
		a.Event.Step, a.Event.Text = printable(a.Event.Step), printable(a.Event.Text)
	}
	return a, nil
}

func appendEvent(b []byte, e supervisor.Event) []byte {
	b = append(b, `{"event":{"slot":`...)
	b = strconv.AppendInt(b, int64(e.Slot), 10)
	if e.PID != 0 {
		b = append(b, `,"pid":`...)
		b = strconv.AppendInt(b, int64(e.PID), 10)
	}
	b = append(b, `,"step":`...)
	b = logs.AppendString(b, e.Step)
	if e.Text != "" {
		b = append(b, `,"text":`...)
		b = logs.AppendString(b, e.Text)
	}
	return append(b, "}}\n"...)
}

// accepted is the first line of the answer to what may take long. Clients that do not know
// it pass over it.
const accepted = `{"accepted":true}` + "\n"

func appendDone(b []byte, text string) []byte {
	b = append(b, `{"done":true,"text":`...)
	b = logs.AppendString(b, text)
	return append(b, "}\n"...)
}

func appendHealth(b []byte, healthy bool, text string) []byte {
	b = append(b, `{"version":`...)
	b = strconv.AppendInt(b, ProtocolVersion, 10)
	b = append(b, `,"healthy":`...)
	b = strconv.AppendBool(b, healthy)
	b = append(b, `,"text":`...)
	b = logs.AppendString(b, text)
	return append(b, "}\n"...)
}

func appendError(b []byte, err error) []byte {
	b = append(b, `{"error":`...)
	b = logs.AppendString(b, err.Error())
	if v := versionError(0); errors.As(err, &v) {
		b = append(b, `,"version":`...)
		b = strconv.AppendInt(b, ProtocolVersion, 10)
	}
	return append(b, "}\n"...)
}
