// Package rawjson reads JSON (RFC 8259) without reflection: encoding/json would be an
// eighth of a megabyte of the binary. A [Value] is a part of the text that was parsed, so
// that reading some members of an object makes no garbage but for strings.
package rawjson

import (
	"errors"
	"strconv"
)

// A Value is the text of one JSON value, without white space around it. nil is one that
// is not there, and each method can be called on it.
type Value []byte

var errInvalid = errors.New("not valid JSON")

// Parse returns the value that text is, with or without white space around it. As in
// encoding/json, strings may have bytes that are not UTF-8. The Value is a part of text.
func Parse(text []byte) (Value, error) {
	start := skipSpace(text, 0)
	end := skipValue(text, start)
	if end < 0 || skipSpace(text, end) != len(text) {
		return nil, errInvalid
	}
	return Value(text[start:end:end]), nil
}

// Get returns the member of an object: the last one of that name, as in JavaScript. nil:
// there is none, or v is no object.
func (v Value) Get(name string) (member Value) {
	v.Each(func(key string, value Value) {
		if key == name {
			member = value
		}
	})
	return member
}

// Each calls f with the members of an object, in their order.
func (v Value) Each(f func(name string, member Value)) {
	if !v.IsObject() {
		return
	}
	for i := skipSpace(v, 1); at(v, i) == '"'; i = next(v, i) {
		end := skipString(v, i)
		name := unquote(v[i:end])
		i = skipSpace(v, skipSpace(v, end)+1) // behind the colon
		end = skipValue(v, i)
		f(name, v[i:end:end])
		i = end
	}
}

// Items returns the items of an array, nil if v is none.
func (v Value) Items() (items []Value) {
	if !v.IsArray() {
		return nil
	}
	for i := skipSpace(v, 1); at(v, i) != ']'; i = next(v, i) {
		end := skipValue(v, i)
		items = append(items, v[i:end:end])
		i = end
	}
	return items
}

// next returns the offset of the value, or the end, behind a comma that may be at i.
func next(v Value, i int) int {
	if i = skipSpace(v, i); at(v, i) == ',' {
		i = skipSpace(v, i+1)
	}
	return i
}

// IsString, IsObject, IsArray and IsNull report what v is.
func (v Value) IsString() bool { return at(v, 0) == '"' }
func (v Value) IsObject() bool { return at(v, 0) == '{' }
func (v Value) IsArray() bool  { return at(v, 0) == '[' }
func (v Value) IsNull() bool   { return at(v, 0) == 'n' }

// Text returns the value of a string, "" if v is none. What is not UTF-8 in it becomes
// U+FFFD, as does half of a surrogate pair.
func (v Value) Text() string {
	if !v.IsString() {
		return ""
	}
	return unquote(v)
}

// Texts returns the strings in an array.
func (v Value) Texts() (texts []string) {
	for _, item := range v.Items() {
		if item.IsString() {
			texts = append(texts, item.Text())
		}
	}
	return texts
}

// Bool reports whether v is true.
func (v Value) Bool() bool { return at(v, 0) == 't' }

// Int returns a number that is written as a whole one of 64 bits.
func (v Value) Int() (n int64, ok bool) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	return n, err == nil
}

// Float returns a number.
func (v Value) Float() (n float64, ok bool) {
	if c := at(v, 0); c != '-' && (c < '0' || c > '9') {
		return 0, false
	}
	n, err := strconv.ParseFloat(string(v), 64)
	return n, err == nil
}
