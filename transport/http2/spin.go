package http2

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// spinPolls is how often a reader looks before it sleeps: some 100 µs, which
	// is about what it takes a peer that sleeps to wake, answer, and be heard.
	// Looking is bounded by its number, not by the clock, which stands still in
	// a synctest bubble.
	spinPolls = 320
	// fastPolls is what a peer needs that looks, too.
	fastPolls = 96
	// yieldEvery lets others run while a reader looks, where there are fewer
	// processors than goroutines with work.
	yieldEvery = fastPolls
	// maxSpinners bounds the goroutines of the process that look at the same
	// time: with many connections, looking takes more than it saves.
	maxSpinners = 2

	// A try begins with maxCredit. A fast hit earns one, a slow one costs one,
	// a miss missCost.
	maxCredit = 32
	missCost  = 4
	// A try begins within the first tryWindow of every tryEvery DATA frames on
	// the connection; each one that fails doubles tryEvery, up to
	// 1<<mostFailures times.
	tryWindow    = 64
	tryEvery     = 192
	mostFailures = 6
)

// spinners counts the goroutines of the process that look.
var spinners atomic.Int32

// spin decides whether a reader should look again and again for a while instead
// of sleeping at once. Being woken takes longer than most small calls, and costs
// more than looking, as long as what is waited for comes soon: so a connection
// looks only while that pays off, and tries now and then.
//
// It pays off when both ends look: one that sleeps answers too late. So both
// must try at the same time, and they do, because both have counted the same
// DATA frames.
type spin struct {
	off      bool // switched off by Config.NoSpin
	credit   int8
	failures int8   // tries that failed in a row
	tried    uint64 // one more than the frames at which the window of the last try began
}

// worth tells whether looking is likely to pay off.
func (s *spin) worth() bool { return !s.off && s.credit > 0 }

// chance is an occasion on which looking might pay off. frames is how many DATA
// frames the connection has carried, both ways.
func (s *spin) chance(frames uint64) {
	if s.off || s.credit > 0 {
		return
	}
	every := uint64(tryEvery) << s.failures
	into := frames % every
	if try := frames - into + 1; into < tryWindow && try != s.tried {
		s.tried, s.credit = try, maxCredit
	}
}

// looked is the result of a look: how many polls it took, or spinPolls if it was
// in vain.
func (s *spin) looked(polls int) {
	switch {
	case polls < fastPolls:
		s.credit = min(s.credit+1, maxCredit)
		s.failures = 0
		return
	case polls < spinPolls:
		s.credit--
	default:
		s.credit -= missCost
	}
	if s.credit <= 0 {
		s.credit = 0
		s.failures = min(s.failures+1, mostFailures)
	}
}

// look polls the socket until it has something to read, or for long enough. The
// caller holds the reader's role.
func (c *Conn) look() (n, polls int, err error) {
	defer spinners.Add(-1)
	if spinners.Add(1) > maxSpinners {
		return 0, spinPolls, nil
	}
	for polls = range spinPolls {
		if n, err = c.raw.poll(&c.reader); n > 0 || err != nil {
			return n, polls, err
		}
		if polls%yieldEvery == yieldEvery-1 {
			runtime.Gosched()
		}
	}
	return 0, spinPolls, nil
}

const (
	// alonePatience is how long the handler of a call that is alone on its
	// connection may keep the reader's role, on the average, and batchPatience
	// one of several that came together: beyond it they are better run side by
	// side, on goroutines of their own.
	alonePatience = 50 * time.Microsecond
	batchPatience = 10 * time.Microsecond
	// A goroutine may lose its processor at any time. So handlers are judged
	// after patiencePeriod of what they may take, or when they have taken
	// mostExcess more than that.
	patiencePeriod = 10 * time.Millisecond
	mostExcess     = 5 * time.Millisecond
	// leastBan and mostBan are for how many turns of its reader a connection
	// whose handlers took longer does without; each time twice as many.
	leastBan = 1 << 6
	mostBan  = 1 << 16
)

// trust decides whether handlers of a connection may run on its reader's
// goroutine, or read for themselves: that saves waking goroutines, and holds up
// all other streams while a handler takes its time. The zero value trusts.
type trust struct {
	allowed, taken time.Duration // in this period
	banned         int           // turns until the next try
	lastBan        int
}

// given tells whether a handler may have the role now.
func (t *trust) given() bool {
	if t.banned > 0 {
		t.banned--
		return false
	}
	return true
}

// judge takes note of how long so many handlers have had the role.
func (t *trust) judge(took time.Duration, handlers int) {
	t.taken += took
	if handlers == 1 {
		t.allowed += alonePatience
	} else {
		t.allowed += time.Duration(handlers) * batchPatience
	}
	excess := t.taken - t.allowed
	switch {
	case excess > mostExcess, excess > 0 && t.allowed >= patiencePeriod:
		t.banned = max(leastBan, min(2*t.lastBan, mostBan))
		t.lastBan = t.banned
	case t.allowed >= patiencePeriod:
		t.lastBan /= 2
	default:
		return
	}
	t.allowed, t.taken = 0, 0
}
