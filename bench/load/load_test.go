package load

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/bench/benchpb"
	"github.com/yodelrpc/yodel/bench/stack"
)

// slowStack answers after a while, without a network. From call number failing
// on it fails.
type slowStack struct {
	delay   time.Duration
	failing int64
	short   bool
	calls   atomic.Int64
	dials   atomic.Int64
	// deadlines counts the calls that had one.
	deadlines atomic.Int64
}

var errBroken = errors.New("broken")

func (*slowStack) Name() string                            { return "slow" }
func (*slowStack) Serve(net.Listener, stack.Options) error { return errors.ErrUnsupported }

func (s *slowStack) Dial(string, stack.Options) (stack.Conn, error) {
	s.dials.Add(1)
	return &slowConn{stack: s}, nil
}

type slowConn struct {
	stack.UnaryOnly

	stack *slowStack
}

func (c *slowConn) Say(ctx context.Context, req *benchpb.Msg) (*benchpb.Msg, error) {
	if _, has := ctx.Deadline(); has {
		c.stack.deadlines.Add(1)
	}
	if n := c.stack.calls.Add(1); c.stack.failing > 0 && n >= c.stack.failing {
		return nil, errBroken
	}
	time.Sleep(c.stack.delay)
	if c.stack.short {
		return &benchpb.Msg{}, nil
	}
	return req, nil
}

func (*slowConn) Close() error { return nil }

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStack{delay: 10 * time.Millisecond}
		client := NewClient(s, "", stack.Options{})
		result, err := client.Run(Workload{Kind: Say, Bytes: 10, Concurrency: 3, Conns: 2}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if result.Calls != 300 || result.Seconds != 1 {
			t.Errorf("%d calls in %v s, want 300 in 1", result.Calls, result.Seconds)
		}
		if l := result.Latency; l.P50 < 9990 || l.P50 > 10010 || l.Max != 10000 {
			t.Errorf("latencies of %+v, want 10 ms", l)
		}
		if n := s.dials.Load(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
		if n := s.deadlines.Load(); n != 0 {
			t.Errorf("%d calls had a deadline", n)
		}
	})
}

func TestRunWithDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStack{delay: 10 * time.Millisecond}
		result, err := NewClient(s, "", stack.Options{}).Run(Workload{Kind: Say, Deadline: true}, time.Second)
		if err != nil || s.deadlines.Load() != result.Calls {
			t.Errorf("%d of %d calls had a deadline; %v", s.deadlines.Load(), result.Calls, err)
		}
	})
}

func TestColdRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStack{delay: 100 * time.Millisecond}
		result, err := NewClient(s, "", stack.Options{}).Run(Workload{Kind: Cold}, time.Second)
		if err != nil || result.Calls != 10 || s.dials.Load() != 10 {
			t.Errorf("%d calls on %d connections; %v", result.Calls, s.dials.Load(), err)
		}
	})
}

// A failure must not look like a fast stack.
func TestRunFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			stack *slowStack
			want  error
		}{
			"a call fails":       {&slowStack{delay: time.Millisecond, failing: 5}, errBroken},
			"an answer is short": {&slowStack{delay: time.Millisecond, short: true}, errSize},
		} {
			_, err := NewClient(test.stack, "", stack.Options{}).Run(Workload{Kind: Say, Bytes: 10, Concurrency: 4}, time.Second)
			if !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", name, err, test.want)
			}
		}
		if _, err := NewClient(&slowStack{}, "", stack.Options{}).Run(Workload{Kind: Chat}, time.Second); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a chat without one: %v", err)
		}
		if _, err := NewClient(&slowStack{}, "", stack.Options{}).Run(Workload{Kind: "sing"}, time.Second); err == nil {
			t.Error("a workload that does not exist runs")
		}
	})
}

func TestLatency(t *testing.T) {
	rec := newRecorder()
	s := rec.shard()
	for i := range 1000 {
		s.record(time.Duration(i+1) * time.Millisecond)
	}
	s.flush()
	l := rec.latency()
	for _, test := range []struct {
		name      string
		got, want float64
	}{
		{"p50", l.P50, 500e3}, {"p90", l.P90, 900e3}, {"p99", l.P99, 990e3}, {"p99.9", l.P999, 999e3}, {"max", l.Max, 1e6},
	} {
		// Three digits.
		if test.got < test.want*0.999 || test.got > test.want*1.002 {
			t.Errorf("%s is %v µs, want %v", test.name, test.got, test.want)
		}
	}
	// What is over the histogram's range must not be lost.
	s.record(2 * time.Hour)
	s.flush()
	if l := rec.latency(); l.Max != 7200e6 {
		t.Errorf("the slowest took %v µs", l.Max)
	}
}
