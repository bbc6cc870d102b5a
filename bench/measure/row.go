// Package measure runs rows: for each, it starts a server and a client process
// of every stack, lets them work in turns for some rounds, and sums up.
package measure

import (
	"github.com/yodelrpc/yodel/bench/load"
	"github.com/yodelrpc/yodel/bench/stack"
)

// Baseline is the stack that ratios are over.
const Baseline = "grpcgo"

// Metric is one figure of a sample.
type Metric string

// The metrics. CPU is in microseconds per call, of both sides unless it says
// which; latencies are in microseconds, memory in bytes.
const (
	Rate             Metric = "rate" // calls, exchanges or messages per second
	Megabytes        Metric = "MB/s" // of bodies, in one direction
	CPU              Metric = "cpu"
	ClientCPU        Metric = "cpu-client"
	ServerCPU        Metric = "cpu-server"
	P50              Metric = "p50"
	P90              Metric = "p90"
	P99              Metric = "p99"
	P999             Metric = "p99.9"
	Slowest          Metric = "max"
	ClientRSS        Metric = "rss-client"
	ServerRSS        Metric = "rss-server"
	ClientHeap       Metric = "heap-client"
	ServerHeap       Metric = "heap-server"
	ClientStack      Metric = "stack-client"
	ServerStack      Metric = "stack-server"
	ClientGoroutines Metric = "goroutines-client"
	ServerGoroutines Metric = "goroutines-server"
	AllocCount       Metric = "allocs"
	AllocBytes       Metric = "alloc-bytes"
	BinarySize       Metric = "size"
	BinaryGrowth     Metric = "size-over-standard"
	Packages         Metric = "packages"
	Modules          Metric = "modules"
)

// Way is how a row is measured.
type Way string

// The ways.
const (
	// Load keeps calls in flight.
	Load Way = "load"
	// Conns and Streams hold Row.N of them idle, and divide what they cost.
	Conns   Way = "idle connections"
	Streams Way = "idle streams"
	// Allocs counts what a call allocates, both sides in one process.
	Allocs Way = "allocations"
	// Binary builds a hello client.
	Binary Way = "binary"
)

// Row is one line of the report.
type Row struct {
	Name, Title string
	Way         Way
	Workload    load.Workload
	Options     stack.Options
	// TLS asks for certificates, which the driver makes.
	TLS bool
	// BurnMicroseconds asks for that much work in each handler.
	BurnMicroseconds int
	// MaxProcs is the GOMAXPROCS of every process; zero leaves it.
	MaxProcs int
	// N is how many connections, streams or calls.
	N int
	// MostRounds bounds the rounds of what hardly varies; zero does not.
	MostRounds int
	// Stacks are the ones to measure by default.
	Stacks []string
	// Quick rows are in the short run.
	Quick   bool
	Targets []Target
}

// Target is what a metric of a stack has to reach.
type Target struct {
	Stack  string
	Metric Metric
	// AtLeast or AtMost is the bound, the other one is zero.
	AtLeast, AtMost float64
	// Over is the stack that the ratio is over; empty is the baseline. Without a
	// figure of that stack there is no verdict.
	Over string
	// Absolute bounds the metric itself, not its ratio.
	Absolute bool
	// Aim tells that missing it is no failure.
	Aim bool
}

// AtLeast is a gate for a ratio.
func AtLeast(name string, metric Metric, ratio float64) Target {
	return Target{Stack: name, Metric: metric, AtLeast: ratio}
}

// AtMost is a gate for a ratio.
func AtMost(name string, metric Metric, ratio float64) Target {
	return Target{Stack: name, Metric: metric, AtMost: ratio}
}

// Ceiling is a gate for a metric itself.
func Ceiling(name string, metric Metric, most float64) Target {
	return Target{Stack: name, Metric: metric, AtMost: most, Absolute: true}
}

// AsAim makes an aim of a gate.
func (t Target) AsAim() Target {
	t.Aim = true
	return t
}

// Against makes the ratio one over another stack than the baseline.
func (t Target) Against(name string) Target {
	t.Over = name
	return t
}
