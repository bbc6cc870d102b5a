package compile

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bufbuild/protocompile/reporter"
)

// Diagnostic is an error or a warning about a place in a .proto file.
type Diagnostic struct {
	File    string // the path on disk
	Line    int    // from 1; 0 if the place in the file is unknown
	Column  int    // from 1, in characters; a tab is one
	Message string
	Source  string // the line, without its end
	Warning bool
}

// String is "file:line:column: message", and below it the source line and a
// caret under the column.
func (d Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(d.File)
	if d.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", d.Line, d.Column)
	}
	b.WriteString(": ")
	if d.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(d.Message)
	if strings.TrimSpace(d.Source) == "" {
		return b.String()
	}
	b.WriteString("\n    " + d.Source + "\n    ")
	column := 1
	for _, r := range d.Source {
		if column++; column > d.Column {
			break
		}
		// What stands before the caret is as wide as what it stands for.
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	b.WriteByte('^')
	return b.String()
}

// diagnostics collects what the compiler reports. It is safe for concurrent
// use: after an error, the compiler's goroutines outlive the compiler's call.
type diagnostics struct {
	sources *sources
	order   []string // the files that were asked for

	mu   sync.Mutex
	list []Diagnostic
}

// error records err and lets the compiler go on, so that one run finds as many
// errors as it can.
func (r *diagnostics) error(err reporter.ErrorWithPos) error {
	r.add(r.diagnostic(err))
	return nil
}

// warning records a warning about a file that was asked for: what others
// import is not theirs to mend.
func (r *diagnostics) warning(err reporter.ErrorWithPos) {
	if slices.Contains(r.order, err.GetPosition().Filename) {
		d := r.diagnostic(err)
		d.Warning = true
		r.add(d)
	}
}

func (r *diagnostics) add(d Diagnostic) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, d)
}

// sorted returns the diagnostics so far, each once, file by file from top to
// bottom: the compiler works on several files at a time.
func (r *diagnostics) sorted() []Diagnostic {
	r.mu.Lock()
	list := slices.Clone(r.list)
	r.mu.Unlock()
	slices.SortFunc(list, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	list = slices.Compact(list)
	return slices.DeleteFunc(slices.Clone(list), func(d Diagnostic) bool { return d.echoes(list) })
}

// echoes reports whether d only says that the parser stumbled over what the
// lexer has complained about at the same place.
func (d Diagnostic) echoes(list []Diagnostic) bool {
	return d.Message == "syntax error: unexpected error" && slices.ContainsFunc(list, func(other Diagnostic) bool {
		return other.File == d.File && other.Line == d.Line && other.Column == d.Column && other.Message != d.Message
	})
}

func (r *diagnostics) diagnostic(err reporter.ErrorWithPos) Diagnostic {
	pos := err.GetPosition()
	d := Diagnostic{File: pos.Filename, Message: err.Unwrap().Error()}
	file, ok := r.sources.files[pos.Filename]
	if ok {
		d.File = file.disk
	}
	if pos.Line > 0 {
		d.locate(file.text, pos.Line, pos.Col)
	}
	return d
}

// locate sets the place of d in text, and its source line. wide is the column
// as the compiler counts it, where a tab reaches to the next multiple of eight;
// in editors it is one character.
func (d *Diagnostic) locate(text []byte, line, wide int) {
	d.Line, d.Column = line, wide
	for range line - 1 {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	source, _, _ := bytes.Cut(text, []byte("\n"))
	d.Source = strings.ToValidUTF8(strings.TrimRight(string(source), "\r"), "\uFFFD")
	column, width := 1, 1
	for _, r := range d.Source {
		if width >= wide {
			break
		}
		if r == '\t' {
			width += 8 - (width-1)%8
		} else {
			width++
		}
		column++
	}
	if width >= wide {
		d.Column = column
	}
}
