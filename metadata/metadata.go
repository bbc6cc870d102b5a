// Package metadata holds the key-value pairs that travel beside a call's
// messages: an ordered multimap of header fields.
package metadata

import (
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"strings"
)

// Field is one key-value pair.
//
// Name is lower-case. The Value of a field whose name ends in "-bin" is
// arbitrary bytes; any other value is printable ASCII. Base64, which the wire
// uses for "-bin" values, never shows in an MD.
type Field struct {
	Name  string
	Value string
	// Sensitive keeps the value out of header compression tables, here and in
	// every proxy on the way (RFC 7541 §7.1.3). Set it for tokens and cookies.
	Sensitive bool
}

// MD is an ordered multimap: fields keep the order in which they were added,
// and a name may occur more than once. The zero value is empty and ready to
// use. An MD is not safe for concurrent use while it is being changed.
//
// Names given to its methods are compared in lower case.
type MD []Field

// Get returns the first value of name, and whether there is one.
func (md MD) Get(name string) (string, bool) {
	name = lower(name)
	for i := range md {
		if md[i].Name == name {
			return md[i].Value, true
		}
	}
	return "", false
}

// Values yields the values of name, in order.
func (md MD) Values(name string) iter.Seq[string] {
	name = lower(name)
	return func(yield func(string) bool) {
		for i := range md {
			if md[i].Name == name && !yield(md[i].Value) {
				return
			}
		}
	}
}

// All yields every name and value, in order.
func (md MD) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range md {
			if !yield(md[i].Name, md[i].Value) {
				return
			}
		}
	}
}

// Add appends a value of name, after those that it has already.
func (md *MD) Add(name, value string) {
	*md = append(*md, Field{Name: lower(name), Value: value})
}

// Set replaces every value of name with one value.
func (md *MD) Set(name, value string) {
	md.Del(name)
	md.Add(name, value)
}

// Del removes every value of name.
func (md *MD) Del(name string) {
	name = lower(name)
	kept := (*md)[:0]
	for _, f := range *md {
		if f.Name != name {
			kept = append(kept, f)
		}
	}
	clear((*md)[len(kept):])
	*md = kept
}

// Clone returns a copy that shares nothing with md that can be changed.
func (md MD) Clone() MD {
	if md == nil {
		return nil
	}
	return append(make(MD, 0, len(md)), md...)
}

// String names the fields and leaves their values out: metadata carries
// tokens, and what is printed ends up in logs.
func (md MD) String() string {
	var b strings.Builder
	b.WriteString("metadata[")
	for i := range md {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(md[i].Name)
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(len(md[i].Value)))
		b.WriteByte('B')
	}
	b.WriteByte(']')
	return b.String()
}

// Format implements [fmt.Formatter]: no verb prints a value.
func (md MD) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(md.String())) }

// LogValue implements [slog.LogValuer]: no handler logs a value.
func (md MD) LogValue() slog.Value { return slog.StringValue(md.String()) }

// String names the field and leaves its value out.
func (f Field) String() string { return f.Name + ":" + strconv.Itoa(len(f.Value)) + "B" }

// LogValue implements [slog.LogValuer]: no handler logs the value.
func (f Field) LogValue() slog.Value { return slog.StringValue(f.String()) }

// Format implements [fmt.Formatter]: no verb prints the value.
func (f Field) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(f.String())) }

func lower(name string) string { return strings.ToLower(name) }
