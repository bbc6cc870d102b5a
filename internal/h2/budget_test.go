package h2

import (
	"math"
	"testing"
	"time"
)

// attack charges act n times at a steady rate, obeying every pace, and returns
// how long it took and whether the connection was closed. The peer has no
// patience: it is always ready to send more.
func attack(b *Budget, act Act, n int, perSecond float64) (took time.Duration, calm bool) {
	now := start
	for range n {
		now = now.Add(time.Duration(float64(time.Second) / perSecond))
		v := b.Charge(act, now)
		if v.Calm {
			return now.Sub(start), true
		}
		now = now.Add(v.Pace)
	}
	return now.Sub(start), false
}

var resetActs = []Act{ActReset, ActProvokedReset, ActRefusedStream}

// Rapid reset (R1, R2): 2,000 at once cost nothing, 10,000 take as long as 2,000
// a second do, no pause is too long, and half a minute of it ends the
// connection. With the limit off none of this happens.
func TestResetsArePaced(t *testing.T) {
	for _, act := range resetActs {
		b := NewBudget(Limits{}.Resolve(Server), start)
		for i := range DefaultResetBurst {
			if v := b.Charge(act, start); v != (Verdict{}) {
				t.Fatalf("%v %d: %+v", act, i, v)
			}
		}
		if v := b.Charge(act, start); v.Pace <= 0 || v.Calm {
			t.Fatalf("%v above the burst: %+v", act, v)
		}
		b = NewBudget(Limits{}.Resolve(Server), start)
		if took, calm := attack(&b, act, 10_000, 1e6); calm || took < 3900*time.Millisecond || took > 4200*time.Millisecond {
			t.Errorf("%v: 10,000 took %v, calm %v", act, took, calm)
		}
		b = NewBudget(Limits{}.Resolve(Server), start)
		if took, calm := attack(&b, act, 1_000_000, 1e6); !calm || took < DefaultResetExcessTime || took > DefaultResetExcessTime+time.Second {
			t.Errorf("%v for ever: %v, calm %v", act, took, calm)
		}
		for _, off := range []Limits{{ResetBurst: -1}, {ResetsPerSecond: -1}} {
			b = NewBudget(off.Resolve(Server), start)
			if took, calm := attack(&b, act, 100_000, 1e6); calm || took > time.Second {
				t.Errorf("%v with the limit off: %v, calm %v", act, took, calm)
			}
		}
		b = NewBudget(Limits{ResetExcessTime: -1}.Resolve(Server), start)
		if _, calm := attack(&b, act, 200_000, 1e6); calm {
			t.Errorf("%v closed with the excess time off", act)
		}
	}
}

// A client that cancels 1,900 calls a second for an hour, or 4,000 at a time
// with a rest in between, is not an attacker.
func TestHonestCancelsGoOn(t *testing.T) {
	b := NewBudget(Limits{}.Resolve(Server), start)
	if took, calm := attack(&b, ActReset, 1900*600, 1900); calm || took > 601*time.Second {
		t.Errorf("steady: %v, calm %v", took, calm)
	}
	b = NewBudget(Limits{}.Resolve(Server), start)
	now := start
	for range 100 {
		for range 4000 {
			v := b.Charge(ActReset, now)
			if v.Calm {
				t.Fatal("closed after", now.Sub(start))
			}
			now = now.Add(v.Pace)
		}
		now = now.Add(2 * time.Second)
	}
}

// However deep the debt, the peer's PINGs are answered within MaxPace.
func TestPaceIsBounded(t *testing.T) {
	b := NewBudget(Limits{ResetBurst: 1, ResetsPerSecond: 1}.Resolve(Server), start)
	for range 1000 {
		if v := b.Charge(ActReset, start); v.Pace > MaxPace {
			t.Fatalf("pause of %v", v.Pace)
		}
	}
	if MaxPace >= 10*time.Second {
		t.Error("10 s and more looks like a dead peer")
	}
}

// Empty DATA (R9): 100, and one more for each message.
func TestEmptyData(t *testing.T) {
	b := NewBudget(Limits{}.Resolve(Server), start)
	for range 1000 {
		b.Delivered() // does not add up beyond the burst
	}
	for i := range DefaultEmptyDataBurst {
		if v := b.Charge(ActEmptyData, start); v != (Verdict{}) {
			t.Fatalf("%d: %+v", i, v)
		}
	}
	b.Delivered()
	if v := b.Charge(ActEmptyData, start); v.Calm {
		t.Error("a delivered message pays for one")
	}
	if v := b.Charge(ActEmptyData, start.Add(time.Hour)); !v.Calm {
		t.Error("time must not pay for empty DATA")
	}
	off := NewBudget(Limits{EmptyDataBurst: -1}.Resolve(Server), start)
	if _, calm := attack(&off, ActEmptyData, 100_000, 1e6); calm {
		t.Error("closed with the limit off")
	}
}

// Everything else that is of no use (R3, R8, R10, R16) shares 10,000 and 330 a
// second.
func TestGlitches(t *testing.T) {
	for act := ActUnknownFrame; act < actCount; act++ {
		b := NewBudget(Limits{}.Resolve(Server), start)
		for i := range DefaultGlitchBurst {
			if v := b.Charge(act, start); v != (Verdict{}) {
				t.Fatalf("%v %d: %+v", act, i, v)
			}
		}
		if v := b.Charge(act, start); !v.Calm {
			t.Errorf("%v above the burst: %+v", act, v)
		}
		b = NewBudget(Limits{}.Resolve(Server), start)
		if _, calm := attack(&b, act, 100_000, 329); calm {
			t.Errorf("%v at 329 a second: closed", act)
		}
		for _, off := range []Limits{{GlitchBurst: -1}, {GlitchesPerSecond: -1}} {
			b = NewBudget(off.Resolve(Server), start)
			if _, calm := attack(&b, act, 100_000, 1e6); calm {
				t.Errorf("%v: closed with the limit off", act)
			}
		}
	}
}

func TestBudgetCounts(t *testing.T) {
	b := NewBudget(Limits{}.Resolve(Server), start)
	for act := range actCount {
		sum := map[string]uint64{act.String(): 100}
		for range int(act) + 1 {
			b.Charge(act, start)
		}
		if b.AddCounts(sum); sum[act.String()] != 100+uint64(act)+1 {
			t.Errorf("%v counted %d times", act, sum[act.String()])
		}
		if len(sum) != int(act)+1 || sum[actCount.String()] != 0 {
			t.Error("names are not one each, or say what has not happened:", sum)
		}
	}
}

func TestBucket(t *testing.T) {
	b := NewBucket(1, 10, start)
	if d := b.Take(start); d != 0 {
		t.Error(d)
	}
	if d := b.Take(start); d != 100*time.Millisecond {
		t.Errorf("debt %v, want 100ms", d)
	}
	if d := b.Take(start.Add(-time.Hour)); d != 200*time.Millisecond {
		t.Errorf("a clock that goes back: %v, want 200ms", d)
	}
	if d := b.Take(start.Add(time.Hour)); d != 0 || b.tokens != 0 {
		t.Errorf("full is full: %v, %v tokens", d, b.tokens)
	}
	broke := NewBucket(0, 0, start)
	if d := broke.Take(start); d <= 0 {
		t.Errorf("a bucket without tokens or rate: %v", d)
	}
}

func TestReplies(t *testing.T) {
	for _, tt := range []struct {
		name        string
		limits, off Limits
		frames, len int
	}{
		{"frames", Limits{}, Limits{Replies: -1, ReplyBytes: -1}, DefaultReplies, 1},
		{"bytes", Limits{}, Limits{ReplyBytes: -1}, 64, DefaultReplyBytes / 64},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReplies(resolved(tt.limits))
			for i := 1; i < tt.frames; i++ {
				if r.Queue(tt.len, start) {
					t.Fatal("pause at", i)
				}
			}
			if _, ok := r.Deadline(); ok {
				t.Error("a deadline without a pause")
			}
			if !r.Queue(tt.len, start) || !r.Paused() {
				t.Fatal("no pause at the limit")
			}
			r.Queue(tt.len, start.Add(9*time.Second)) // must not move the deadline
			if at, ok := r.Deadline(); !ok || !at.Equal(start.Add(DefaultReplyTime)) {
				t.Error("the pause must end the connection after 10 s")
			}
			if r.Written(1, tt.len) {
				t.Error("resumed at once: the next reply would pause again")
			}
			if !r.Written(tt.frames/2, tt.frames/2*tt.len) || r.Paused() {
				t.Error("not resumed at half")
			}
			r.Written(math.MaxInt, math.MaxInt)
			if f, b := r.Queued(); f != 0 || b != 0 {
				t.Error(f, b)
			}
			off := NewReplies(resolved(tt.off))
			for range tt.frames + 1 {
				if off.Queue(tt.len, start) {
					t.Fatal("pause with the limit off")
				}
			}
		})
	}
	patient := NewReplies(resolved(Limits{Replies: 1, ReplyTime: -1}))
	if !patient.Queue(1, start) {
		t.Error("no pause at the limit")
	}
	if _, ok := patient.Deadline(); ok {
		t.Error("with the time off a pause may last")
	}
}

// Every field follows the rule of zero and negative; a field that Resolve
// forgets would be a limit of zero.
func TestLimitsResolve(t *testing.T) {
	if r := (Limits{}.Resolve(Server)); r.HeaderBytes != 16<<10 || r.HeaderFields != 128 || r.HeaderBlockBytes != 64<<10 {
		t.Errorf("server: %+v", r)
	}
	if r := (Limits{}.Resolve(Client)); r.HeaderBytes != 64<<10 || r.HeaderFields != 256 || r.HeaderBlockBytes != 256<<10 {
		t.Errorf("client: %+v", r)
	}
	if r := (Limits{HeaderBytes: 1000}.Resolve(Server)); r.HeaderBytes != 1000 || r.HeaderBlockBytes != 4000 {
		t.Errorf("the block follows the header limit: %+v", r)
	}
	if r := (Limits{HeaderBytes: -1}.Resolve(Server)); r.HeaderBlockBytes < math.MaxInt/8 {
		t.Errorf("overflow: %+v", r)
	}
	eachLimit(t, Limits{}.Resolve(Server), func(name string, n int64) {
		if n <= 0 || n == math.MaxInt {
			t.Errorf("%s has no default: %d", name, n)
		}
	})
	var off Limits
	setEachLimit(&off, -1)
	eachLimit(t, off.Resolve(Server), func(name string, n int64) {
		if n != math.MaxInt && n != math.MaxInt64 {
			t.Errorf("%s cannot be switched off: %d", name, n)
		}
	})
	var own Limits
	setEachLimit(&own, 7)
	if own.Resolve(Client) != own {
		t.Errorf("values of one's own changed: %+v", own.Resolve(Client))
	}
}
