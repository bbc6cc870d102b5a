package peer

import (
	"fmt"
	"io"
)

// Report prints results, a line each, and counts them. Its zero value prints
// nothing; it is not safe for concurrent use.
type Report struct {
	// Out is where the lines go; nil means nowhere.
	Out io.Writer
	// Passed and Failed are the counts.
	Passed, Failed int
}

// Add notes the result of one check of a group; a nil error is a pass.
func (r *Report) Add(group, name string, err error) {
	if err != nil {
		r.Failed++
		r.printf("FAIL  %s: %s: %v\n", group, name, err)
		return
	}
	r.Passed++
	r.printf("ok    %s: %s\n", group, name)
}

func (r *Report) printf(format string, args ...any) {
	if r.Out != nil {
		_, _ = fmt.Fprintf(r.Out, format, args...)
	}
}
