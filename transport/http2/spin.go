package http2

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// spinPolls is how often a reader looks before it sleeps: some 30 µs. Looking
	// is bounded by its number, not by the clock, which stands still in a
	// synctest bubble.
	spinPolls = 64
	// yieldEvery lets others run while a reader looks, where there are fewer
	// processors than goroutines with work.
	yieldEvery = 16
	// maxSpinners bounds the goroutines of the process that look at the same
	// time: with many connections, looking takes more than it saves.
	maxSpinners = 2

	// A hit earns one look, up to maxCredit, and a miss costs missCost. Without
	// credit, leastPause chances go by before the next try, and twice as many
	// after each try that fails, up to mostPause.
	maxCredit  = 8
	missCost   = 2
	leastPause = 64
	mostPause  = 4096
)

// spinners counts the goroutines of the process that look.
var spinners atomic.Int32

// spin decides whether a reader should look again and again for a while instead
// of sleeping at once. Being woken takes longer than most small calls, and costs
// more than looking, as long as what is waited for comes soon: so a connection
// looks only while that has been paying off. The zero value is ready to use.
type spin struct {
	off    bool // switched off by Config.NoSpin
	credit int
	pause  int // chances until the next try
	next   int // the pause after it, if it fails
}

// worth tells whether looking is likely to pay off.
func (s *spin) worth() bool { return !s.off && s.credit > 0 }

// chance is an occasion on which looking might have paid off. Now and then one
// is used to try.
func (s *spin) chance() {
	if s.off || s.credit > 0 {
		return
	}
	if s.pause--; s.pause <= 0 {
		s.credit = 1
	}
}

func (s *spin) hit() {
	s.credit = min(s.credit+1, maxCredit)
	s.next = leastPause
}

func (s *spin) miss() {
	s.credit -= missCost
	if s.credit > 0 {
		return
	}
	s.credit = 0
	s.pause = max(s.next, leastPause)
	s.next = min(2*s.pause, mostPause)
}

// look polls the socket until it has something to read, or for long enough. The
// caller holds the reader's role.
func (c *Conn) look() (n int, err error) {
	defer spinners.Add(-1)
	if spinners.Add(1) > maxSpinners {
		return 0, nil
	}
	for i := range spinPolls {
		if n, err = c.raw.poll(&c.reader); n > 0 || err != nil {
			return n, err
		}
		if i%yieldEvery == yieldEvery-1 {
			runtime.Gosched()
		}
	}
	return 0, nil
}

const (
	// patience is how long a handler may keep the reader's role from others.
	patience = 200 * time.Microsecond
	// leastBan and mostBan are for how many turns a connection whose handler
	// took longer does without lending its reader, or its reader's role.
	leastBan = 1 << 6
	mostBan  = 1 << 16
)

// trust decides whether handlers of a connection may run on its reader's
// goroutine, or read for themselves: that saves waking goroutines, and holds up
// all other streams while a handler takes its time. The zero value trusts.
type trust struct {
	banned int // turns until the next try
	next   int // the ban after it
	quick  int // in a row
}

// given tells whether a handler may have the role now.
func (t *trust) given() bool {
	if t.banned > 0 {
		t.banned--
		return false
	}
	return true
}

// judge takes note of how long a handler has had the role.
func (t *trust) judge(took time.Duration) {
	if took > patience {
		t.banned = max(t.next, leastBan)
		t.next = min(2*t.banned, mostBan)
		t.quick = 0
		return
	}
	if t.quick++; t.quick >= t.next {
		t.quick, t.next = 0, t.next/2
	}
}
