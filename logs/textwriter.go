package logs

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/nodeinit/nodeinit/rawjson"
)

// A textWriter turns the JSON lines of a Logger into text: time, level, logger and message,
// and then the facts as key=value, error first and the others in the order of their keys.
type textWriter struct {
	out    io.Writer
	format Format
}

// A fact is a field of a line besides its parts.
type fact struct {
	key   string
	value rawjson.Value
}

func (w textWriter) Write(line []byte) (int, error) {
	value, err := rawjson.Parse(line)
	if err != nil {
		return 0, err
	}
	var text []byte
	if w.format == Terminal {
		text = time.Now().AppendFormat(nil, timeOfDay)
	} else {
		text = append(text, value.Get("time").Text()...)
	}
	text = append(append(text, ' '), levelLetters(value.Get("level").Text())...)
	for _, part := range []string{"logger", "msg"} {
		text = append(append(text, ' '), value.Get(part).Text()...)
	}
	var facts []fact
	value.Each(func(key string, v rawjson.Value) {
		if key != "time" && key != "level" && key != "logger" && key != "msg" {
			facts = append(facts, fact{key, v})
		}
	})
	slices.SortStableFunc(facts, func(a, b fact) int {
		switch {
		case a.key == b.key:
			return 0
		case a.key == "error":
			return -1
		case b.key == "error":
			return 1
		}
		return cmp.Compare(a.key, b.key)
	})
	for _, f := range facts {
		text = append(append(append(text, ' '), f.key...), '=')
		text = appendFact(text, f.value)
	}
	if _, err = w.out.Write(append(text, '\n')); err != nil {
		return 0, err
	}
	return len(line), nil
}

// levelLetters returns three letters for a level.
func levelLetters(level string) string {
	switch level {
	case "trace":
		return "TRC"
	case "debug":
		return "DBG"
	case "warn":
		return "WRN"
	case "error":
		return "ERR"
	}
	return "INF"
}

// appendFact appends a string without quotes where it is one word, and else what JSON has.
func appendFact(text []byte, value rawjson.Value) []byte {
	if !value.IsString() {
		return append(text, value...)
	}
	s := value.Text()
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '\\' || c == '"' {
			return strconv.AppendQuote(text, s)
		}
	}
	return append(text, s...)
}
