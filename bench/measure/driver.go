package measure

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/yodelrpc/yodel/bench/process"
	"github.com/yodelrpc/yodel/bench/stack"
)

// Driver measures rows. Its fields are set before the first one.
type Driver struct {
	// Rounds is how often each stack has its turn, and Time how long a turn is.
	Rounds int
	Time   time.Duration
	// Stacks replaces the stacks of every row; nil does not.
	Stacks []string
	// Programs are where the stacks are.
	Programs map[string]Program
	// Profiles is a folder for CPU profiles; empty takes none.
	Profiles string
	// Folder is a temporary one, for sockets and certificates.
	Folder string
	// Log hears what is being done.
	Log io.Writer
	// Binary builds and weighs the hello client of a stack.
	Binary func(stack string) (Sample, error)

	certified bool
	steps     int
}

// Program is where a stack is.
type Program struct {
	Path string
	// Version is what reports say of a program that Go has not built, and whose
	// file therefore does not say it.
	Version string
	// WarmUp is how long it works before the first turn of a row, besides the
	// warm-up of every turn: for code that is compiled while it runs.
	WarmUp time.Duration
}

// warmUp is the share of a turn that goes unmeasured before it.
const warmUp = 5

// Measure runs one row. An error is about the driver; a stack that fails has
// its error in its cell.
func (d *Driver) Measure(row Row) (*Outcome, error) {
	began := time.Now()
	if err := d.prepare(&row); err != nil {
		return nil, err
	}
	outcome := &Outcome{Row: row, Began: began.UTC().Format(time.RFC3339)}
	for _, name := range row.Stacks {
		outcome.Cells = append(outcome.Cells, &Cell{Stack: name})
	}
	switch row.Way {
	case Load:
		d.load(row, outcome.Cells)
	case Allocs:
		d.eachRound(row, outcome.Cells, func(cell *Cell) (Sample, error) { return d.allocs(row, cell.Stack) })
	case Conns, Streams:
		d.eachRound(row, outcome.Cells, func(cell *Cell) (Sample, error) { return d.idle(row, cell.Stack) })
	case Binary:
		for _, cell := range outcome.Cells {
			cell.add(d.Binary(cell.Stack))
		}
	default:
		return nil, fmt.Errorf("row %s: there is no way to measure %q", row.Name, row.Way)
	}
	outcome.Took = time.Since(began).Seconds()
	return outcome, nil
}

// prepare fills in what a row needs of this machine.
func (d *Driver) prepare(row *Row) error {
	if d.Stacks != nil {
		row.Stacks = d.Stacks
	}
	if row.Options.Network == "" {
		row.Options.Network = "tcp"
	}
	if row.TLS {
		if !d.certified {
			if err := stack.WriteCertificates(d.Folder); err != nil {
				return err
			}
			d.certified = true
		}
		row.Options.Certificates = d.Folder
	}
	if row.BurnMicroseconds > 0 {
		if d.steps == 0 {
			d.steps = max(stack.Calibrate(time.Microsecond), 1)
		}
		row.Options.Work.Steps = d.steps * row.BurnMicroseconds
	}
	return nil
}

// add takes the sample of a round, or why there is none.
func (c *Cell) add(s Sample, err error) {
	if err != nil {
		c.Failure = err.Error()
		c.Unsupported = errors.Is(err, errors.ErrUnsupported)
		return
	}
	c.Samples = append(c.Samples, s)
}

// eachRound takes samples in turns: A B C, A B C.
func (d *Driver) eachRound(row Row, cells []*Cell, take func(*Cell) (Sample, error)) {
	rounds := d.Rounds
	if row.MostRounds > 0 {
		rounds = min(rounds, row.MostRounds)
	}
	for range rounds {
		for _, cell := range cells {
			if cell.Failure == "" {
				cell.add(take(cell))
			}
		}
	}
}

// load measures a row of calls in flight.
func (d *Driver) load(row Row, cells []*Cell) {
	pairs := make(map[string]*pair, len(cells))
	defer func() {
		for _, p := range pairs {
			p.stop()
		}
	}()
	for _, cell := range cells {
		p, err := d.start(row, cell)
		if err != nil {
			cell.add(nil, err)
			continue
		}
		pairs[cell.Stack] = p
		if err := d.warm(row, p); err != nil {
			cell.add(nil, err)
		}
	}
	d.eachRound(row, cells, func(cell *Cell) (Sample, error) {
		return d.turn(row, pairs[cell.Stack])
	})
	for _, p := range pairs {
		d.profile(p, "", "")
	}
}

// allocs counts with a process of its own each round.
func (d *Driver) allocs(row Row, name string) (Sample, error) {
	h, err := process.Start(process.Both, process.Spec{Stack: name, Options: row.Options, Program: d.Programs[name].Path}, row.MaxProcs)
	if err != nil {
		return nil, err
	}
	defer h.Stop()
	a, err := h.Allocs(row.Workload.Bytes, row.N)
	return Sample{AllocCount: a.Count, AllocBytes: a.Bytes}, err
}

// idleFor is how long connections and streams have been idle when they are measured. A
// stack in another process may give memory back after a while, and says nothing when it
// does: there is only time to wait for. It is the same for all.
const idleFor = 2500 * time.Millisecond

// idle measures what the processes grow by, for each connection or stream.
func (d *Driver) idle(row Row, name string) (Sample, error) {
	p, err := d.start(row, &Cell{Stack: name})
	if err != nil {
		return nil, err
	}
	defer p.stop()
	// The first calls make what is needed once.
	hold := p.client.HoldConns
	if row.Way == Streams {
		hold = p.client.HoldStreams
	}
	const first = 10
	if err := hold(first); err != nil {
		return nil, err
	}
	before, err := p.settled()
	if err != nil {
		return nil, err
	}
	if err := hold(first + row.N); err != nil {
		return nil, err
	}
	time.Sleep(idleFor)
	after, err := p.settled()
	if err != nil {
		return nil, err
	}
	s := Sample{}
	for i, side := range [][4]Metric{
		{ClientRSS, ClientHeap, ClientStack, ClientGoroutines},
		{ServerRSS, ServerHeap, ServerStack, ServerGoroutines},
	} {
		each := func(after, before int64) float64 { return float64(after-before) / float64(row.N) }
		s[side[0]] = each(after[i].RSS, before[i].RSS)
		s[side[1]] = each(after[i].Heap, before[i].Heap)
		s[side[2]] = each(after[i].Stack, before[i].Stack)
		// A process has a few that come and go: they are no connection's.
		s[side[3]] = math.Round(each(int64(after[i].Goroutines), int64(before[i].Goroutines))*100) / 100
	}
	return s, nil
}

// Select returns the rows with the given names, in the order of rows.
func Select(rows []Row, names []string) ([]Row, error) {
	var chosen []Row
	for _, row := range rows {
		if slices.Contains(names, row.Name) {
			chosen = append(chosen, row)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(rows, func(r Row) bool { return r.Name == name }) {
			return nil, fmt.Errorf("there is no row %q: see -list", name)
		}
	}
	return chosen, nil
}
