package process

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/yodelrpc/yodel/bench/load"
)

// Handle is the driver's hold on a process. It is used by one goroutine.
type Handle struct {
	name    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	address string
}

// patience is how long a process may take for an answer beyond its workload's
// time.
const patience = 60 * time.Second

// Start starts a process. maxProcs is its GOMAXPROCS; zero
// leaves it to the runtime.
func Start(role Role, s Spec, maxProcs int) (*Handle, error) {
	spec, err := json.Marshal(s) //nolint:musttag // both ends are this package
	if err != nil {
		return nil, err
	}
	h := &Handle{name: string(role) + " of " + s.Stack}
	h.cmd = exec.Command(s.Program, string(role), string(spec)) //nolint:gosec,noctx // the driver's choice; it ends when its input does
	h.cmd.Stderr = os.Stderr
	if maxProcs > 0 {
		h.cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(maxProcs))
	}
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.out = bufio.NewScanner(stdout)
	if err := h.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", h.name, err)
	}
	if role == Server {
		resp, err := h.receive(0)
		if err != nil {
			h.Stop()
			return nil, err
		}
		h.address = resp.Address
	}
	return h, nil
}

// Address is where a server listens.
func (h *Handle) Address() string { return h.address }

// Stop ends the process, and waits until it is gone.
func (h *Handle) Stop() {
	_ = h.in.Close()
	kill := time.AfterFunc(time.Second, func() { _ = h.cmd.Process.Kill() })
	defer kill.Stop()
	_ = h.cmd.Wait()
}

func (h *Handle) do(req request) (response, error) {
	line, err := json.Marshal(req) //nolint:musttag // both ends are this package
	if err != nil {
		return response{}, err
	}
	if _, err := h.in.Write(append(line, '\n')); err != nil {
		return response{}, fmt.Errorf("commanding the %s: %w", h.name, err)
	}
	return h.receive(req.Time)
}

// receive reads one answer. A process that gives none is killed.
func (h *Handle) receive(workload time.Duration) (response, error) {
	kill := time.AfterFunc(workload+patience, func() { _ = h.cmd.Process.Kill() })
	defer kill.Stop()
	var resp response
	if !h.out.Scan() {
		return resp, fmt.Errorf("the %s gave no answer: it ended, or hung for %v", h.name, patience)
	}
	if err := json.Unmarshal(h.out.Bytes(), &resp); err != nil { //nolint:musttag // both ends are this package
		return resp, fmt.Errorf("the %s answered %q: %w", h.name, h.out.Bytes(), err)
	}
	switch {
	case resp.Unsupported:
		return resp, fmt.Errorf("%s: %w", h.name, errors.ErrUnsupported)
	case resp.Error != "":
		return resp, fmt.Errorf("%s: %s", h.name, resp.Error)
	}
	return resp, nil
}

// Run has a client run a workload. The usage is the client's, and its CPU what
// the workload took.
func (h *Handle) Run(w load.Workload, d time.Duration) (load.Result, Usage, error) {
	resp, err := h.do(request{Op: opRun, Workload: w, Time: d})
	return resp.Result, resp.Usage, err
}

// Usage asks a process what it has used. settle collects its garbage before.
func (h *Handle) Usage(settle bool) (Usage, error) {
	resp, err := h.do(request{Op: opUsage, Settle: settle})
	return resp.Usage, err
}

// HoldConns has a client hold n idle connections.
func (h *Handle) HoldConns(n int) error {
	_, err := h.do(request{Op: opConns, N: n})
	return err
}

// HoldStreams has a client hold n idle streams.
func (h *Handle) HoldStreams(n int) error {
	_, err := h.do(request{Op: opStreams, N: n})
	return err
}

// Allocs counts what one of n unary calls allocates, in a process that is Both.
func (h *Handle) Allocs(bytes, n int) (Allocs, error) {
	resp, err := h.do(request{Op: opAllocs, Workload: load.Workload{Bytes: bytes}, N: n})
	return resp.Allocs, err
}

// Profile begins a CPU profile, or ends it if file is empty.
func (h *Handle) Profile(file string) error {
	_, err := h.do(request{Op: opProfile, File: file})
	return err
}
