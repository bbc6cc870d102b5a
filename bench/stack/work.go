package stack

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/yodelrpc/yodel/bench/benchpb"
)

// Work is what a unary handler does besides answering.
type Work struct {
	// SleepEvery makes each such call sleep for Sleep; zero makes none.
	SleepEvery int64
	Sleep      time.Duration
	// Steps is how long each call keeps the processor busy, in the unit of
	// Calibrate. It is a count and no time, so that a disturbed moment costs
	// every stack the same.
	Steps int
}

// Echo is what the servers of all stacks do. Its methods are safe for
// concurrent use.
type Echo struct {
	Work  Work
	calls atomic.Int64
	sink  atomic.Uint64
}

// Say answers a unary call.
func (e *Echo) Say(req *benchpb.Msg) *benchpb.Msg {
	e.Do()
	return &benchpb.Msg{Body: req.GetBody()}
}

// Do does the work of one call.
func (e *Echo) Do() {
	if every := e.Work.SleepEvery; every > 0 && e.calls.Add(1)%every == 0 {
		time.Sleep(e.Work.Sleep)
	}
	if e.Work.Steps > 0 {
		e.sink.Store(churn(e.Work.Steps))
	}
}

// Down is the message of a server stream.
func Down(req *benchpb.DownRequest) *benchpb.Msg {
	return &benchpb.Msg{Body: make([]byte, req.GetBytes())}
}

// churn keeps the processor busy with work that cannot be left out.
func churn(steps int) uint64 {
	x := uint64(steps) | 1
	for range steps {
		x = bits.RotateLeft64(x*0x9e3779b97f4a7c15, 23) ^ x
	}
	return x
}

// Calibrate returns how many steps take d on this machine: the fastest of
// several tries.
func Calibrate(d time.Duration) int {
	const steps = 200_000
	fastest := time.Duration(1 << 62)
	var sum uint64
	for range 10 {
		began := time.Now()
		sum += churn(steps)
		fastest = min(fastest, time.Since(began))
	}
	if sum == 0 || fastest <= 0 {
		return steps
	}
	return int(float64(steps) * float64(d) / float64(fastest))
}
