package main

import (
	"strconv"
	"unicode/utf8"
)

// Styles: the parameters of SGR sequences (ECMA-48); "" is none.
const (
	stylePlain    = ""
	styleTitle    = "1"
	styleKeys     = "2"
	styleNews     = "7"
	styleNotReady = "33"
	styleRequests = "32"
	styleLoop     = "36"
)

// A screen makes what turns the rows of a terminal into others. Each frame is begin, then
// print and newline for each row, then end.
type screen struct {
	columns, rows int
	styles, utf8  bool
	shown         []string // the rows of the terminal, as far as they are known
	row, room     int      // where print prints, and how many characters fit there
	limit         int      // rows from this one on are left as they are
	line          []byte   // that row so far
	frame         []byte   // what to write
}

// begin starts a frame for a terminal of that size. After another size nobody knows what
// its rows are.
func (s *screen) begin(columns, rows int) {
	if columns != s.columns || rows != s.rows {
		s.shown = nil
	}
	s.columns, s.rows, s.limit, s.row, s.room, s.line, s.frame = columns, rows, rows, 0, columns, nil, nil
}

// print appends text to the row, as far as it has room. Control characters, and all but
// ASCII in another locale than UTF-8, are escaped as in Go: a terminal would obey them.
func (s *screen) print(style, text string) {
	styled := s.styles && style != stylePlain
	if styled {
		s.line = append(append(append(s.line, "\x1b["...), style...), 'm')
	}
	for _, r := range text {
		before := len(s.line)
		if strconv.IsPrint(r) && (s.utf8 || r < utf8.RuneSelf) {
			s.line = utf8.AppendRune(s.line, r)
			s.room--
		} else {
			s.line = strconv.AppendQuoteRuneToASCII(s.line, r)
			quoted := s.line[before:]
			n := copy(quoted, quoted[1:len(quoted)-1])
			s.line = s.line[:before+n]
			s.room -= n
		}
		if s.room < 0 {
			s.line, s.room = s.line[:before], 0
			break
		}
	}
	if styled {
		s.line = append(s.line, "\x1b[0m"...)
	}
}

// newline ends the row. A row that the terminal shows already is not written again:
// nothing flickers, and little is sent to a terminal that is far away.
func (s *screen) newline() {
	if s.room > 0 { // in a full row the cursor is on the last character, and would clear it
		s.line = append(s.line, "\x1b[K"...)
	}
	known := s.row < len(s.shown)
	if s.row < s.limit && !(known && s.shown[s.row] == string(s.line)) {
		s.frame = strconv.AppendInt(append(s.frame, "\x1b["...), int64(s.row+1), 10)
		s.frame = append(append(s.frame, ";1H"...), s.line...)
		if known {
			s.shown[s.row] = string(s.line)
		} else {
			s.shown = append(s.shown, string(s.line))
		}
	}
	s.row, s.room, s.line = s.row+1, s.columns, s.line[:0]
}

// println prints a row of one style.
func (s *screen) println(style, text string) {
	s.print(style, text)
	s.newline()
}
