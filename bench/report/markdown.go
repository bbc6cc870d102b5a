package report

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/yodelrpc/yodel/bench/measure"
)

// markdown writes a run as a page.
func markdown(run Run, drawn []plot) []byte {
	var b bytes.Buffer
	m := run.Machine
	fmt.Fprint(&b, "# Results\n\nWritten by `make bench`; [method.md](method.md) says how it measures and what the figures cannot tell.\n\n")
	fmt.Fprintf(&b, "- machine: %s, %d processors, Linux %s\n- %s, revision %s\n", m.Processor, m.Processors, m.Kernel, m.Go, m.Revision)
	fmt.Fprintf(&b, "- %s, %.0f minutes; load average before %s, after %s\n",
		m.Began.UTC().Format("2006-01-02 15:04 MST"), m.Minutes, m.LoadBefore, m.LoadAfter)
	fmt.Fprintf(&b, "- command: `bench %s`\n", m.Arguments)
	for _, path := range slices.Sorted(maps.Keys(m.Modules)) {
		if slices.Contains(measured, path) {
			fmt.Fprintf(&b, "- %s %s\n", path, m.Modules[path])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Programs)) {
		fmt.Fprintf(&b, "- %s: %s\n", name, m.Programs[name])
	}
	b.WriteString("\n## Targets\n\nRatios are over grpc-go in the same round.\n\n")
	b.WriteString("| row | stack | metric | target | value | 90 % interval | verdict |\n|---|---|---|---|---|---|---|\n")
	for _, v := range run.Verdicts {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s to %s | %s |\n", v.Row, v.Stack, v.Metric, Bound(v.Target),
			Number(v.Value.Median), Number(v.Value.Low), Number(v.Value.High), v.Word)
	}
	for _, p := range drawn {
		fmt.Fprintf(&b, "\n![%s](%s)\n", p.title, p.file)
	}
	for _, section := range sections {
		section.write(&b, run.Outcomes)
	}
	return b.Bytes()
}

// measured are the modules that decide the figures.
var measured = []string{
	"connectrpc.com/connect/v2", "google.golang.org/grpc", "google.golang.org/protobuf", "storj.io/drpc",
}

// section is a table of one metric: a line for each row, a column for each
// stack.
type section struct {
	title  string
	way    measure.Way
	metric measure.Metric
}

var sections = []section{
	{"Rate: calls, exchanges or messages per second (x over grpc-go)", measure.Load, measure.Rate},
	{"Bodies in MB/s, one direction", measure.Load, measure.Megabytes},
	{"CPU of both sides, in µs per call", measure.Load, measure.CPU},
	{"CPU of the client, in µs per call", measure.Load, measure.ClientCPU},
	{"CPU of the server, in µs per call", measure.Load, measure.ServerCPU},
	{"Latency p50, in µs (streams: of a whole stream)", measure.Load, measure.P50},
	{"Latency p99, in µs", measure.Load, measure.P99},
	{"Latency p99.9, in µs", measure.Load, measure.P999},
	{"Resident memory of the client while it works, in bytes", measure.Load, measure.ClientRSS},
	{"Resident memory of the server while it works, in bytes", measure.Load, measure.ServerRSS},
	{"Allocations per call, both sides", measure.Allocs, measure.AllocCount},
	{"Allocated bytes per call, both sides", measure.Allocs, measure.AllocBytes},
	{"Resident memory of an idle connection, client, in bytes", measure.Conns, measure.ClientRSS},
	{"Resident memory of an idle connection, server, in bytes", measure.Conns, measure.ServerRSS},
	{"Goroutines of an idle connection, client", measure.Conns, measure.ClientGoroutines},
	{"Goroutines of an idle connection, server", measure.Conns, measure.ServerGoroutines},
	{"Resident memory of an idle stream, client, in bytes", measure.Streams, measure.ClientRSS},
	{"Resident memory of an idle stream, server, in bytes", measure.Streams, measure.ServerRSS},
	{"Goroutines of an idle stream, client", measure.Streams, measure.ClientGoroutines},
	{"Goroutines of an idle stream, server", measure.Streams, measure.ServerGoroutines},
	{"Hello client, stripped, in bytes", measure.Binary, measure.BinarySize},
	{"The same, over the program with the standard library's parts alone", measure.Binary, measure.BinaryGrowth},
	{"Packages linked", measure.Binary, measure.Packages},
	{"Modules linked, beside the program's own", measure.Binary, measure.Modules},
}

func (s section) write(b *bytes.Buffer, outcomes []*measure.Outcome) {
	var rows []*measure.Outcome
	var stacks []string
	for _, o := range outcomes {
		if o.Row.Way != s.way {
			continue
		}
		rows = append(rows, o)
		for _, c := range o.Cells {
			if !slices.Contains(stacks, c.Stack) {
				stacks = append(stacks, c.Stack)
			}
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n| row | %s |\n|---|%s\n", s.title, strings.Join(stacks, " | "), strings.Repeat("---|", len(stacks)))
	for _, o := range rows {
		fmt.Fprintf(b, "| %s |", o.Row.Title)
		for _, name := range stacks {
			b.WriteString(" " + s.cell(o, o.Cell(name)) + " |")
		}
		b.WriteByte('\n')
	}
}

// cell is what a table says of a stack: nothing where it was not asked.
func (s section) cell(o *measure.Outcome, c *measure.Cell) string {
	switch {
	case c == nil:
		return ""
	case c.Unsupported:
		return "-"
	case c.Failure != "":
		return "failed"
	}
	v, has := c.Median(s.metric)
	if !has {
		return ""
	}
	text := Number(v)
	base := o.Cell(measure.Baseline)
	if base == nil || c == base {
		return text
	}
	if ratio, has := c.Ratio(base, s.metric); has {
		text += " (" + Number(ratio.Median) + "x)"
	}
	return text
}
