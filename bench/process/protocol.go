// Package process runs the client and the server of a stack in processes of
// their own, and talks with them over their standard input and output: one JSON
// value a line each way. A stack in Go is a program that calls [Main].
package process

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/yodelrpc/yodel/bench/load"
	"github.com/yodelrpc/yodel/bench/stack"
)

// Role is what a process is, the first argument of its program.
type Role string

// The roles.
const (
	Server Role = "role-server"
	Client Role = "role-client"
	// Both is a client and a server in one process, for counting allocations.
	Both Role = "role-both"
)

// Spec is what a process is started with, as JSON in the second argument.
type Spec struct {
	Stack   string
	Options stack.Options
	// Address is the server's: of a client where it is, of a server with a
	// unix socket where to be.
	Address string
	// Program is the file to start.
	Program string `json:"-"`
}

// The commands.
const (
	opRun     = "run"
	opUsage   = "usage"
	opConns   = "hold-conns"
	opStreams = "hold-streams"
	opProfile = "profile"
	opAllocs  = "allocs"
)

// request is a command to a process.
type request struct {
	Op       string
	Workload load.Workload
	Time     time.Duration
	N        int
	// Settle collects garbage and returns memory before a usage is taken.
	Settle bool
	// File is where a CPU profile goes; empty ends it.
	File string
}

// response is the answer.
type response struct {
	Address string
	Usage   Usage
	Result  load.Result
	Allocs  Allocs
	Error   string
	// Unsupported tells that the stack cannot do this at all.
	Unsupported bool
}

// Allocs is what one call allocates, on both sides.
type Allocs struct {
	Count, Bytes float64
}

// answer reads commands until the input ends.
func answer(in io.Reader, out io.Writer, do func(request) (response, error)) error {
	lines := bufio.NewScanner(in)
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		var req request
		if err := json.Unmarshal(lines.Bytes(), &req); err != nil { //nolint:musttag // both ends are this package
			return fmt.Errorf("a command is no JSON: %w", err)
		}
		resp, err := do(req)
		if err != nil {
			resp.Error = err.Error()
			resp.Unsupported = errors.Is(err, errors.ErrUnsupported)
		}
		if err := encoder.Encode(resp); err != nil { //nolint:musttag // both ends are this package
			return fmt.Errorf("answering the driver: %w", err)
		}
	}
	return lines.Err()
}
