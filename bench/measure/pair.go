package measure

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/yodelrpc/yodel/bench/load"
	"github.com/yodelrpc/yodel/bench/process"
)

// pair is a stack's two processes.
type pair struct {
	cell           *Cell
	server, client *process.Handle
}

func (p *pair) stop() {
	for _, h := range []*process.Handle{p.client, p.server} {
		if h != nil {
			h.Stop()
		}
	}
}

// Sides returns the stacks of a client and a server: "a:b" is a client a with a
// server b.
func Sides(name string) (client, server string) {
	client, server, mixed := strings.Cut(name, ":")
	if !mixed {
		return name, name
	}
	return client, server
}

func (d *Driver) start(row Row, cell *Cell) (*pair, error) {
	p := &pair{cell: cell}
	client, server := Sides(cell.Stack)
	socket := filepath.Join(d.Folder, "socket-"+strings.ReplaceAll(cell.Stack, ":", "-"))
	_ = os.Remove(socket)
	spec := process.Spec{Stack: server, Options: row.Options, Address: socket, Program: d.Programs[server].Path}
	var err error
	if p.server, err = process.Start(process.Server, spec, row.MaxProcs); err == nil {
		spec.Stack, spec.Address, spec.Program = client, p.server.Address(), d.Programs[client].Path
		p.client, err = process.Start(process.Client, spec, row.MaxProcs)
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// warm lets a pair work until its code is compiled, if that needs time. It begins
// with many unary calls at once: they get what all calls share compiled soonest.
func (d *Driver) warm(row Row, p *pair) error {
	client, server := Sides(p.cell.Stack)
	long := max(d.Programs[client].WarmUp, d.Programs[server].WarmUp)
	if long == 0 {
		return nil
	}
	crowd := load.Workload{Kind: load.Say, Bytes: 100, Concurrency: 100}
	if _, _, err := p.client.Run(crowd, long/4); err != nil {
		return err
	}
	_, _, err := p.client.Run(row.Workload, long-long/4)
	return err
}

// turn is one round of one stack: a warm-up, and then what counts.
func (d *Driver) turn(row Row, p *pair) (Sample, error) {
	if _, _, err := p.client.Run(row.Workload, d.Time/warmUp); err != nil {
		return nil, err
	}
	if len(p.cell.Samples) == 0 {
		d.profile(p, row.Name, p.cell.Stack)
	}
	before, err := p.server.Usage(false)
	if err != nil {
		return nil, err
	}
	result, client, err := p.client.Run(row.Workload, d.Time)
	if err != nil {
		return nil, err
	}
	server, err := p.server.Usage(false)
	if err != nil {
		return nil, err
	}
	if result.Calls == 0 {
		return nil, errors.New("no call has ended")
	}
	each := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / float64(result.Calls) }
	rate := float64(result.Calls) / result.Seconds
	clientCPU, serverCPU := each(client.CPU), each(server.CPU-before.CPU)
	s := Sample{
		Rate: rate, CPU: clientCPU + serverCPU, ClientCPU: clientCPU, ServerCPU: serverCPU,
		P50: result.Latency.P50, P90: result.Latency.P90, P99: result.Latency.P99, P999: result.Latency.P999, Slowest: result.Latency.Max,
		ClientRSS: float64(client.RSS), ServerRSS: float64(server.RSS),
		ClientGoroutines: float64(client.Goroutines), ServerGoroutines: float64(server.Goroutines),
	}
	if row.Workload.Bytes > 0 {
		s[Megabytes] = rate * float64(row.Workload.Bytes) / 1e6
	}
	return s, nil
}

// profile begins CPU profiles of both processes, or ends them without a row. It
// is a help: what goes wrong with it is logged.
func (d *Driver) profile(p *pair, row, name string) {
	if d.Profiles == "" {
		return
	}
	for side, h := range map[string]*process.Handle{"client": p.client, "server": p.server} {
		file := ""
		if row != "" {
			file = filepath.Join(d.Profiles, strings.Join([]string{row, strings.ReplaceAll(name, ":", "-"), side}, ".")+".pprof")
		}
		if err := h.Profile(file); err != nil {
			_, _ = fmt.Fprintln(d.Log, "profile:", err)
		}
	}
}

// settled is the usage of client and server once garbage is gone.
func (p *pair) settled() (both [2]process.Usage, err error) {
	for i, h := range []*process.Handle{p.client, p.server} {
		if both[i], err = h.Usage(true); err != nil {
			return both, err
		}
	}
	return both, nil
}
