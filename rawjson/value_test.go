package rawjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// decoded is v as encoding/json decodes it into any, with numbers as text.
func decoded(v Value) any {
	switch {
	case v.IsNull():
		return nil
	case v.IsString():
		return v.Text()
	case v.IsObject():
		object := map[string]any{}
		v.Each(func(name string, member Value) { object[name] = decoded(member) })
		return object
	case v.IsArray():
		list := []any{}
		for _, item := range v.Items() {
			list = append(list, decoded(item))
		}
		return list
	case at(v, 0) == 't' || at(v, 0) == 'f':
		return v.Bool()
	}
	return json.Number(v)
}

// check compares what this package and encoding/json make of text.
func check(t *testing.T, text []byte) {
	t.Helper()
	v, err := Parse(text)
	if valid := json.Valid(text); valid != (err == nil) {
		t.Fatalf("%q: %v, but encoding/json says that it is valid: %t", text, err, valid)
	}
	if err != nil || len(text) > 4<<10 { // decoded takes time by the square of the depth
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var want any
	if err := decoder.Decode(&want); err != nil {
		t.Fatal(err)
	}
	if got := decoded(v); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: %#v, want %#v", text, got, want)
	}
	object, ok := want.(map[string]any)
	for name, member := range object {
		if got := decoded(v.Get(name)); !reflect.DeepEqual(got, member) {
			t.Fatalf("%q: %q is %#v, want %#v", text, name, got, member)
		}
	}
	if !ok && v.Get("") != nil {
		t.Fatalf("%q has members", text)
	}
}

var texts = []string{
	``, ` `, `{}`, `[]`, ` { } `, "[\n]\t", `{"a":1,"b":[true,false,null,"x"],"a":{"c":-0.5e+3}}`, `{"a":}`, `{"a"}`, `{a:1}`, `{,}`, `[,]`, `[1,]`,
	`{"a":1,}`, `[1 2]`, `{"a":1 "b":2}`, `[}`, `{]`, `[[]`, `[]]`, `nul`, `nulll`, `truefalse`, `0`, `00`, `-`, `-0`, `1.`, `.5`, `1e`, `1E-5`, `+1`,
	`"`, `"\"`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\n\"", "\"\x00\"", "\"\xff\xc2\"", `"\ud83d\ude00 \ud83d \ude00 \ud83d\n \ud83dA"`, `"\b\f\n\r\t\/\\\""`,
	`{"":{"":""}}`, `{"\u0061":1,"a":2}`, `"é" x`, strings.Repeat("[", 200) + strings.Repeat("]", 200), strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth),
	strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1), strings.Repeat(`{"a":`, 99) + "1" + strings.Repeat("}", 99),
}

func TestAsEncodingJSON(t *testing.T) {
	for _, text := range texts {
		check(t, []byte(text))
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]struct {
		n, f     float64
		isN, isF bool
	}{
		"12": {12, 12, true, true}, "-9223372036854775808": {-1 << 63, -1 << 63, true, true}, "9223372036854775808": {0, 1 << 63, false, true},
		"1.5": {0, 1.5, false, true}, "1e3": {0, 1000, false, true}, "1e999": {0, 0, false, false}, `"12"`: {}, "null": {}, "true": {}, "": {},
	} {
		v, _ := Parse([]byte(text))
		n, isN := v.Int()
		f, isF := v.Float()
		if isN != want.isN || isN && float64(n) != want.n || isF != want.isF || isF && f != want.f {
			t.Errorf("%s is %d (%t) and %g (%t), want %+v", text, n, isN, f, isF, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { check(t, text) })
}
