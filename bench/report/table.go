// Package report writes outcomes for people and for programs.
package report

import (
	"bytes"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/yodelrpc/yodel/bench/measure"
)

// Text writes a row's cells as a table for a terminal.
func Text(out io.Writer, o *measure.Outcome) error {
	var b bytes.Buffer
	metrics := columns(o)
	b.WriteString("stack\t")
	for _, m := range metrics {
		fmt.Fprintf(&b, "%s\tx\t", m)
	}
	b.WriteByte('\n')
	base := o.Cell(measure.Baseline)
	for _, cell := range o.Cells {
		fmt.Fprintf(&b, "%s\t", cell.Stack)
		if cell.Failure != "" {
			fmt.Fprintf(&b, "%s\n", cell.Failure)
			continue
		}
		for _, m := range metrics {
			v, _ := cell.Median(m)
			ratio := ""
			if base != nil {
				if e, has := cell.Ratio(base, m); has {
					ratio = fmt.Sprintf("%.2f", e.Median)
				}
			}
			fmt.Fprintf(&b, "%s\t%s\t", Number(v), ratio)
		}
		b.WriteByte('\n')
	}
	if _, err := fmt.Fprintf(out, "\n%s: %s (%.1f s)\n", o.Row.Name, o.Row.Title, o.Took); err != nil {
		return err
	}
	return align(out, b.Bytes(), tabwriter.AlignRight)
}

// align writes text with its tabs made into columns.
func align(out io.Writer, text []byte, flags uint) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', flags)
	if _, err := w.Write(text); err != nil {
		return err
	}
	return w.Flush()
}

// columns are the metrics that tell most about a row.
func columns(o *measure.Outcome) []measure.Metric {
	switch o.Row.Way {
	case measure.Allocs:
		return []measure.Metric{measure.AllocCount, measure.AllocBytes}
	case measure.Conns, measure.Streams:
		return []measure.Metric{
			measure.ServerRSS, measure.ClientRSS, measure.ServerHeap, measure.ClientHeap,
			measure.ServerGoroutines, measure.ClientGoroutines,
		}
	case measure.Binary:
		return []measure.Metric{measure.BinarySize, measure.BinaryGrowth, measure.Packages, measure.Modules}
	case measure.Load:
	}
	if o.Row.Workload.Bytes >= 1<<10 {
		return []measure.Metric{measure.Rate, measure.Megabytes, measure.CPU, measure.ClientCPU, measure.ServerCPU, measure.P50, measure.P99}
	}
	return []measure.Metric{measure.Rate, measure.CPU, measure.ClientCPU, measure.ServerCPU, measure.P50, measure.P99, measure.P999}
}

// Number writes a figure with three digits that count.
func Number(v float64) string {
	switch {
	case v >= 10e6:
		return fmt.Sprintf("%.1fM", v/1e6)
	case v >= 10e3:
		return fmt.Sprintf("%.1fk", v/1e3)
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// Verdicts writes what became of the targets; that a stack is ahead of another
// one than grpc-go only if it is not.
func Verdicts(out io.Writer, outcomes []*measure.Outcome) error {
	var b bytes.Buffer
	b.WriteString("row\tstack\tmetric\ttarget\tvalue\t90 % interval\tverdict\n")
	for _, o := range outcomes {
		for _, v := range o.Verdicts() {
			if v.Over != "" && v.Met() {
				continue
			}
			fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%s\t%s to %s\t%s\n", o.Row.Name, v.Stack, v.Metric,
				Bound(v.Target), Number(v.Value.Median), Number(v.Value.Low), Number(v.Value.High), v.Word())
		}
	}
	return align(out, b.Bytes(), 0)
}

// Bound writes a target.
func Bound(t measure.Target) string {
	text := ">= " + Number(t.AtLeast)
	if t.AtMost > 0 {
		text = "<= " + Number(t.AtMost)
	}
	if !t.Absolute {
		text += "x"
	}
	if t.Over != "" {
		text += " over " + t.Over
	}
	if t.Aim {
		text = "aim " + text
	}
	return text
}
