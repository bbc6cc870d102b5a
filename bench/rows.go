package main

import (
	"slices"
	"strconv"
	"time"

	"github.com/yodelrpc/yodel/bench/load"
	"github.com/yodelrpc/yodel/bench/measure"
	"github.com/yodelrpc/yodel/bench/stack"
)

// The names of stacks in rows. A client and a server of different stacks are
// "client:server".
const (
	ours   = "yodel"
	noSpin = "yodel-nospin"
	theirs = measure.Baseline
	// Stacks in other languages.
	cpp        = "cpp"
	tonic      = "tonic"
	java       = "java"
	javaDirect = "java-direct"
)

// Which stacks a row has: the floors and net/http know unary calls only, drpc
// and rawpp have no metadata.
var (
	inGo        = []string{ours, theirs, "connect", "connect-plain", "drpc", "nethttp", "rawmux", "rawpp"}
	everyUnary  = append(slices.Clone(inGo), cpp, tonic)
	everyStream = []string{ours, theirs, "connect", "connect-plain", "drpc", cpp, tonic}
	everyChat   = append(slices.Clone(everyStream), "rawpp")
	annotating  = []string{ours, theirs, "connect", "connect-plain"}
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// besideJava are the rows with Java's stacks. Each costs half a minute of warming
// up, so the rows that would tell much the same go without.
var besideJava = []string{
	"unary-100-c1", "unary-100-c100", "unary-100-c1000", "unary-64k-c1", "unary-1m-c1",
	"chat-100-c1", "chat-100-c100", "down-100", "down-64k", "up-100", "up-64k",
}

// rows returns every row of the report.
func rows() []measure.Row {
	all := slices.Concat(unaryRows(), featureRows(), streamRows(), handlerRows(), placementRows(), costRows())
	for i := range all {
		if slices.Contains(besideJava, all[i].Name) {
			all[i].Stacks = append(slices.Clone(all[i].Stacks), java, javaDirect)
		}
		all[i].Targets = append(slices.Clone(all[i].Targets), ahead(all[i])...)
	}
	return all
}

// besideCPP are the rows where being ahead of C++ gRPC is an aim.
var besideCPP = []string{"unary-64k-c1", "unary-1m-c1", "down-64k"}

// ahead returns the targets that every row of calls has: to be ahead of the
// others.
func ahead(row measure.Row) []measure.Target {
	if row.Way != measure.Load {
		return nil
	}
	var all []measure.Target
	for _, name := range []string{"connect", "connect-plain", "drpc", cpp} {
		if !slices.Contains(row.Stacks, name) {
			continue
		}
		target := measure.AtLeast(ours, measure.Rate, 1).Against(name)
		if name == cpp && slices.Contains(besideCPP, row.Name) {
			target = target.AsAim()
		}
		all = append(all, target)
	}
	return all
}

// size is a body's size in a row's name.
func size(bytes int) string {
	switch {
	case bytes >= mib:
		return strconv.Itoa(bytes/mib) + "m"
	case bytes >= kib:
		return strconv.Itoa(bytes/kib) + "k"
	}
	return strconv.Itoa(bytes)
}

// long is a body's size in a row's title.
func long(bytes int) string {
	switch {
	case bytes >= mib:
		return strconv.Itoa(bytes/mib) + " MiB"
	case bytes >= kib:
		return strconv.Itoa(bytes/kib) + " KiB"
	}
	return strconv.Itoa(bytes) + " B"
}

// unary is a row of unary calls on one connection.
func unary(bytes, concurrency int) measure.Row {
	row := measure.Row{
		Name:     "unary-" + size(bytes) + "-c" + strconv.Itoa(concurrency),
		Title:    "unary " + long(bytes) + ", concurrency " + strconv.Itoa(concurrency),
		Way:      measure.Load,
		Workload: load.Workload{Kind: load.Say, Bytes: bytes, Concurrency: concurrency},
		Stacks:   everyUnary,
	}
	if concurrency > 100 {
		row.Options.Streams = 2 * concurrency
	}
	return row
}

// unaryTargets are the gates and aims of the plain unary rows; a row with any
// gate for the quick run is in it.
var unaryTargets = map[string][]measure.Target{
	"unary-100-c1": {
		measure.AtLeast(ours, measure.Rate, 5), measure.AtMost(ours, measure.P50, 0.17),
		measure.AtLeast(noSpin, measure.Rate, 1.8), measure.AtMost(noSpin, measure.CPU, 0.5),
	},
	"unary-100-c100": {
		measure.AtLeast(ours, measure.Rate, 6), measure.AtMost(ours, measure.CPU, 0.17),
		measure.AtMost(ours, measure.P99, 0.2),
	},
	"unary-100-c1000": {measure.AtLeast(ours, measure.Rate, 8)},
	"unary-64k-c1": {
		measure.AtLeast(ours, measure.Rate, 2), measure.AtLeast(ours, measure.Rate, 2.5).AsAim(),
	},
	"unary-1m-c1": {
		measure.AtLeast(ours, measure.Rate, 1.5), measure.AtLeast(ours, measure.Rate, 2).AsAim(),
	},
}

func unaryRows() []measure.Row {
	var all []measure.Row
	for _, bytes := range []int{0, 100, 64 * kib, mib} {
		for _, concurrency := range []int{1, 16, 100, 1000} {
			row := unary(bytes, concurrency)
			row.Targets = unaryTargets[row.Name]
			row.Quick = row.Targets != nil && concurrency <= 100
			switch {
			case row.Name == "unary-100-c1":
				row.Stacks = append(slices.Clone(row.Stacks), noSpin)
			case concurrency*bytes >= 1000*mib:
				// A gigabyte in flight takes seconds a turn, however fast a
				// stack is: three stacks.
				row.Stacks, row.MostRounds = []string{ours, theirs, "drpc"}, 3
			case concurrency*bytes >= 32*mib:
				row.MostRounds = 3
			}
			all = append(all, row)
		}
	}
	return all
}

// featureRows are unary calls with more switched on.
func featureRows() []measure.Row {
	annotated := unary(100, 100)
	annotated.Name, annotated.Title = "annotated-100-c100", "unary 100 B with deadline, 2 metadata entries and interceptors, concurrency 100"
	annotated.Workload.Deadline, annotated.Options.Annotate = true, true
	annotated.Stacks, annotated.Quick = annotating, true
	annotated.Targets = []measure.Target{
		measure.AtLeast(ours, measure.Rate, 4.5), measure.AtMost(ours, measure.CPU, 0.22),
	}
	observed := unary(100, 100)
	observed.Name, observed.Title = "observed-100-c100", "unary 100 B with both sides observed, concurrency 100"
	observed.Options.Observe = true
	observed.Stacks = []string{ours, theirs}
	all := []measure.Row{annotated, observed}
	for _, concurrency := range []int{1, 100} {
		secure := unary(100, concurrency)
		secure.Name, secure.Title, secure.TLS = "tls-100-c"+strconv.Itoa(concurrency), secure.Title+", TLS 1.3", true
		secure.Stacks = inGo
		unix := unary(100, concurrency)
		unix.Name, unix.Title = "unix-100-c"+strconv.Itoa(concurrency), unix.Title+", unix socket"
		unix.Options.Network = "unix"
		unix.Targets = []measure.Target{measure.AtLeast(ours, measure.Rate, 7)}
		if concurrency == 100 {
			secure.Targets = []measure.Target{measure.AtLeast(ours, measure.Rate, 4).AsAim()}
			unix.Targets = []measure.Target{measure.AtLeast(ours, measure.Rate, 6)}
		}
		all = append(all, secure, unix)
	}
	mixed := unary(100, 100)
	mixed.Name, mixed.Title = "mixed-100-c100", "unary 100 B, concurrency 100, one side Yodel and the other grpc-go"
	mixed.Stacks = []string{ours + ":" + theirs, theirs + ":" + ours, theirs}
	mixed.Targets = []measure.Target{
		measure.AtLeast(ours+":"+theirs, measure.Rate, 1.6), measure.AtLeast(theirs+":"+ours, measure.Rate, 2.1),
	}
	return append(all, mixed)
}

func streamRows() []measure.Row {
	chat := func(concurrency int, target float64) measure.Row {
		return measure.Row{
			Name:     "chat-100-c" + strconv.Itoa(concurrency),
			Title:    "bidi ping-pong 100 B, " + strconv.Itoa(concurrency) + " streams",
			Way:      measure.Load,
			Workload: load.Workload{Kind: load.Chat, Bytes: 100, Concurrency: concurrency},
			Stacks:   everyChat, Quick: true,
			Targets: []measure.Target{measure.AtLeast(ours, measure.Rate, target)},
		}
	}
	stream := func(kind load.Kind, bytes, messages int, targets ...measure.Target) measure.Row {
		return measure.Row{
			Name:     string(kind) + "-" + size(bytes),
			Title:    map[load.Kind]string{load.Down: "server", load.Up: "client"}[kind] + " stream of " + long(bytes),
			Way:      measure.Load,
			Workload: load.Workload{Kind: kind, Bytes: bytes, Concurrency: 1, Messages: messages},
			Stacks:   everyStream, Targets: targets,
		}
	}
	small, large := 20_000, 500
	down := stream(load.Down, 100, small, measure.AtLeast(ours, measure.Rate, 3.8), measure.AtMost(ours, measure.CPU, 0.25))
	down.Quick = true
	return []measure.Row{
		chat(1, 4), chat(100, 1.8), down,
		stream(load.Down, 64*kib, large, measure.AtLeast(ours, measure.Rate, 1.3), measure.AtLeast(ours, measure.Rate, 1.8).AsAim()),
		stream(load.Up, 100, small),
		stream(load.Up, 64*kib, large, measure.AtLeast(ours, measure.Rate, 1.8).AsAim()),
	}
}

// handlerRows have handlers that take their time.
func handlerRows() []measure.Row {
	slow := unary(100, 100)
	slow.Name, slow.Title = "slow-100-c100", "1 % of the handlers sleep 2 ms, concurrency 100"
	slow.Options.Work = stack.Work{SleepEvery: 100, Sleep: 2 * time.Millisecond}
	slow.Stacks = inGo
	slow.Targets = []measure.Target{measure.AtLeast(ours, measure.Rate, 4.5)}
	busy := unary(100, 100)
	busy.Name, busy.Title, busy.BurnMicroseconds = "busy-100-c100", "handlers of 20 µs CPU, concurrency 100", 20
	busy.Stacks = inGo
	busy.Targets = []measure.Target{measure.AtLeast(ours, measure.Rate, 1.7)}
	return []measure.Row{slow, busy}
}

// placementRows change how the work lies on connections and processors.
func placementRows() []measure.Row {
	spread := unary(100, 200)
	spread.Name, spread.Title = "spread-100-c200", "unary 100 B, 100 connections with 2 callers each"
	spread.Workload.Conns, spread.Options.Streams = 100, 0
	all := []measure.Row{spread}
	for _, procs := range []int{1, 2} {
		for _, concurrency := range []int{1, 100} {
			row := unary(100, concurrency)
			row.MaxProcs = procs
			row.Name = "procs" + strconv.Itoa(procs) + "-100-c" + strconv.Itoa(concurrency)
			row.Title += ", GOMAXPROCS " + strconv.Itoa(procs)
			row.Stacks = []string{ours, theirs, "rawmux", "rawpp"}
			all = append(all, row)
		}
	}
	return all
}

// costRows are what a stack costs apart from calls in flight.
func costRows() []measure.Row {
	cold := measure.Row{
		Name: "cold", Title: "cold client to first response", Way: measure.Load,
		Workload: load.Workload{Kind: load.Cold, Bytes: 100},
		Stacks:   everyStream, Quick: true,
		Targets: []measure.Target{measure.AtMost(ours, measure.P50, 0.5), measure.AtMost(ours, measure.P50, 0.4).AsAim()},
	}
	allocs := measure.Row{
		Name: "allocs-100", Title: "allocations of a unary call of 100 B, both sides", Way: measure.Allocs,
		Workload: load.Workload{Bytes: 100}, N: 2000, MostRounds: 2, Stacks: inGo, Quick: true,
		Targets: []measure.Target{measure.Ceiling(ours, measure.AllocCount, 10), measure.Ceiling(ours, measure.AllocBytes, 800)},
	}
	large := allocs
	large.Name, large.Title = "allocs-64k", "allocations of a unary call of 64 KiB, both sides"
	large.Workload.Bytes, large.N, large.Quick, large.Targets = 64*kib, 500, false, nil
	conns := measure.Row{
		Name: "idle-conns", Title: "idle connection, of 2,000", Way: measure.Conns, N: 2000, MostRounds: 2,
		Stacks: []string{ours, theirs, "connect", "drpc", "nethttp"},
		Targets: []measure.Target{
			measure.AtMost(ours, measure.ServerRSS, 0.45), measure.AtMost(ours, measure.ClientRSS, 0.25),
			measure.Ceiling(ours, measure.ServerGoroutines, 1), measure.Ceiling(ours, measure.ClientGoroutines, 1),
		},
	}
	secured := conns
	secured.Name, secured.Title, secured.TLS = "idle-conns-tls", "idle connection with TLS, of 2,000", true
	secured.Stacks, secured.Targets = []string{ours, theirs, "connect"}, nil
	streams := measure.Row{
		Name: "idle-streams", Title: "idle bidi stream, of 10,000", Way: measure.Streams, N: 10_000, MostRounds: 2,
		Options: stack.Options{Streams: 20_000}, Stacks: []string{ours, theirs, "connect"},
		Targets: []measure.Target{measure.AtMost(ours, measure.ServerRSS, 0.5), measure.AtMost(ours, measure.ClientRSS, 0.2)},
	}
	binary := measure.Row{
		Name: "binary", Title: "hello client, stripped", Way: measure.Binary,
		Stacks: []string{ours, theirs, "connect", "drpc", "nethttp", "standard"},
		Targets: []measure.Target{
			measure.AtMost(ours, measure.BinarySize, 0.75), measure.Ceiling(ours, measure.Packages, 240),
			measure.Ceiling(ours, measure.Modules, 3), measure.Ceiling(ours, measure.BinaryGrowth, 1e6),
		},
	}
	return []measure.Row{cold, allocs, large, conns, secured, streams, binary}
}
