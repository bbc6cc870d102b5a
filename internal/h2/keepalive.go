package h2

import "time"

// keepaliveLooks is how many looks in a row find nothing new before a peer counts as silent.
const keepaliveLooks = 4

// The peer's patience with PINGs that follow no HEADERS or DATA of its own, as servers of
// gRPC have it (gRFC A8): sparing PINGs stay within it.
const (
	sparePings = 2
	spareTime  = DefaultPingInterval
)

// Keepalive decides when to ask a peer that has fallen silent whether it is there, and
// when to give it up (gRFC A8). It is told at each look how often something has been
// read: any byte shows that the peer lives.
type Keepalive struct {
	time, timeout time.Duration
	// sparing keeps to what servers allow a client that they have not heard of.
	sparing bool

	read  uint64 // as of the last look
	quiet int    // looks in a row that found nothing new
	asked int    // PINGs since HEADERS or DATA came
	open  bool   // a PING has not been answered
	last  time.Time
	due   time.Time // of the next look
}

// NewKeepalive returns the rules of a connection: a peer that has been silent for about
// so long is asked, and given up after timeout.
func NewKeepalive(silence, timeout time.Duration, sparing bool) Keepalive {
	return Keepalive{time: silence, timeout: timeout, sparing: sparing}
}

// Start begins anew, and returns when to look first.
func (k *Keepalive) Start(read uint64, now time.Time) time.Duration {
	k.read, k.quiet, k.open = read, 0, false
	return k.wait(k.time/keepaliveLooks, now)
}

// News says that HEADERS or DATA have come, which forgives the PINGs so far.
func (k *Keepalive) News() { k.asked = 0 }

func (k *Keepalive) wait(d time.Duration, now time.Time) time.Duration {
	k.due = now.Add(d)
	return d
}

// Asked tells whether there have been PINGs since HEADERS or DATA came.
func (k *Keepalive) Asked() bool { return k.asked > 0 }

// Look returns what to do now, and when to look next. sent tells that nothing of the last
// PING waits to be written: before, an answer is not due.
func (k *Keepalive) Look(read uint64, sent bool, now time.Time) (ask, gone bool, next time.Duration) {
	late := now.Sub(k.due) > k.time/keepaliveLooks
	switch {
	case read != k.read || late: // late: this process was stopped, and what came meanwhile may not have been read
		return false, false, k.Start(read, now)
	case k.open && sent:
		return false, true, 0
	case k.open:
		return false, false, k.wait(k.timeout, now)
	}
	k.quiet = min(k.quiet+1, keepaliveLooks)
	if k.quiet < keepaliveLooks || k.sparing && k.asked >= sparePings && now.Sub(k.last) < spareTime {
		return false, false, k.wait(k.time/keepaliveLooks, now)
	}
	k.asked++
	k.open, k.last = true, now
	return true, false, k.wait(k.timeout, now)
}
