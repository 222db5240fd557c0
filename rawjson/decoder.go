package rawjson

import "math"

// A Decoder reads members of an object into variables. A member that is not there, or
// null, leaves its variable as it is.
type Decoder struct {
	From Value
	// Wrong is the name of the first member that was of another type or did not fit its
	// variable, with those of the objects that it is in: a.b; "": none was.
	Wrong string
}

// read calls set with a member, and records whether it was right.
func (d *Decoder) read(name string, set func(Value) (right bool)) {
	if v := d.From.Get(name); v != nil && !v.IsNull() && !set(v) && d.Wrong == "" {
		d.Wrong = name
	}
}

// Int reads a whole number.
func (d *Decoder) Int(name string, to *int) {
	d.read(name, func(v Value) bool {
		n, ok := v.Int()
		if ok = ok && n >= math.MinInt && n <= math.MaxInt; ok {
			*to = int(n)
		}
		return ok
	})
}

// Int64 reads a whole number.
func (d *Decoder) Int64(name string, to *int64) {
	d.read(name, func(v Value) bool {
		n, ok := v.Int()
		if ok {
			*to = n
		}
		return ok
	})
}

// Float reads a number.
func (d *Decoder) Float(name string, to *float64) {
	d.read(name, func(v Value) bool {
		n, ok := v.Float()
		if ok {
			*to = n
		}
		return ok
	})
}

// Bool reads true or false.
func (d *Decoder) Bool(name string, to *bool) {
	d.read(name, func(v Value) bool {
		*to = v.Bool()
		return *to || at(v, 0) == 'f'
	})
}

// Text reads a string.
func (d *Decoder) Text(name string, to *string) {
	d.read(name, func(v Value) bool {
		if v.IsString() {
			*to = v.Text()
		}
		return v.IsString()
	})
}

// Texts reads an array of strings. null is "".
func (d *Decoder) Texts(name string, to *[]string) {
	d.Each(name, func(item Value) bool {
		*to = append(*to, item.Text())
		return item.IsString() || item.IsNull()
	})
}

// Object calls decode with a Decoder for a member that is an object.
func (d *Decoder) Object(name string, decode func(*Decoder)) {
	d.read(name, func(v Value) bool { return d.decode(name, v, decode) })
}

// Objects calls decode with a Decoder for each item of an array of objects.
func (d *Decoder) Objects(name string, decode func(*Decoder)) {
	d.Each(name, func(item Value) bool { return d.decode(name, item, decode) })
}

// Each calls add with the items of an array. It is to report whether an item is right.
func (d *Decoder) Each(name string, add func(item Value) bool) {
	d.read(name, func(v Value) bool {
		right := v.IsArray()
		for _, item := range v.Items() {
			right = add(item) && right
		}
		return right
	})
}

// decode reports whether v is an object. What is wrong in it is recorded.
func (d *Decoder) decode(name string, v Value, decode func(*Decoder)) bool {
	inner := Decoder{From: v}
	decode(&inner)
	if d.Wrong == "" && inner.Wrong != "" {
		d.Wrong = name + "." + inner.Wrong
	}
	return v.IsObject()
}
