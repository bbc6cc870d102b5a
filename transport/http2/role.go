package http2

import (
	"time"

	"github.com/yodelrpc/yodel/internal/h2"
)

// How often the steward looks. Somebody reads again after two looks at most. A
// client that has no call in flight can do without for longer than a server, to
// which new calls may come.
const (
	stewardTimeServer = 5 * time.Millisecond
	stewardTimeClient = 20 * time.Millisecond
)

// reading is who has the reader's role; Conn.mu guards it.
//
// It is the connection's own goroutine, as a rule. When the only receiver that
// waited has been woken, that goroutine may step aside: a receiver that is soon
// back reads for itself, and no goroutine has to be woken for its answer. On a
// server, the goroutine may also run a handler itself. In both cases the steward,
// a timer that runs only then, sees to it that the others do not wait for long.
type reading struct {
	// taken tells that somebody has the role.
	taken bool
	// resting tells that the connection's goroutine waits for resume.
	resting bool
	resume  chan struct{} // nil until it has waited
	// aside is when the role was left, on a server.
	aside time.Time
	// lent is the stream whose handler runs on the connection's goroutine, and
	// terms counts the goroutines that have lost the role by that.
	lent  *stream
	terms uint64

	turns uint64 // of the reader, in all
	spin  spin
	trust trust

	steward *time.Timer
	armed   bool
	seen    uint64 // turns when the steward last looked
}

// needReaderLocked tells whether something depends on the socket being read.
func (c *Conn) needReaderLocked() bool {
	r := &c.reader
	return c.sleepers > 0 || c.senders > 0 || len(c.openings) > 0 || c.err != nil || c.draining != nil ||
		r.pause > 0 || r.start < r.end || len(r.stash) > 0 || r.open || r.hasDeadline || c.replies.Paused()
}

// resumeLocked lets the connection's goroutine read on, if nobody reads.
func (c *Conn) resumeLocked() {
	if c.reading.resting && !c.reading.taken {
		c.reading.resting, c.reading.taken = false, true
		c.reading.resume <- struct{}{}
	}
}

// provenSleeps is how often a handler must have waited for its client to be
// expected to do so again: most have one request.
const provenSleeps = 4

// stepAside leaves the role, if it is likely that a receiver takes it at once,
// and waits until it is needed. It is called by the connection's goroutine.
func (c *Conn) stepAside() {
	if c.raw == nil || c.reader.woken != 1 || !c.reader.comesBack {
		return
	}
	c.mu.Lock()
	g := &c.reading
	g.spin.chance(c.frames)
	if !g.spin.worth() || c.rest.due || c.streams.len() > 1 || c.accepted.running > 1 || c.needReaderLocked() ||
		(c.role == h2.Server && (c.streams.len() == 0 || !g.trust.given())) {
		c.mu.Unlock()
		return
	}
	c.reader.release()
	g.taken, g.resting = false, true
	if g.resume == nil {
		g.resume = make(chan struct{}, 1)
	}
	resume := g.resume
	if c.role == h2.Server {
		g.aside = time.Now()
	}
	c.armStewardLocked()
	c.mu.Unlock()
	<-resume
}

// bulkSize is the least size of messages that are worth to be read while the receiver is
// at work on the one before.
const bulkSize = 16 << 10

// bulk tells that large messages come one after the other, which the connection's
// goroutine and the receiver can work on at the same time.
func (st *stream) bulk() bool { return st.oneWay && st.need >= bulkSize }

// claimLocked takes the role for the receiver of st, which is about to wait. If that is
// not worth it, it sees to it that somebody reads.
func (c *Conn) claimLocked(st *stream) bool {
	g := &c.reading
	if g.taken {
		return false
	}
	if !g.spin.worth() || c.sleepers > 1 || st.bulk() {
		c.resumeLocked()
		return false
	}
	if c.role == h2.Server {
		g.trust.judge(time.Since(g.aside), 1)
	}
	g.taken = true
	return true
}

// fillRaw reads a plain socket. A server's goroutine looks for a while before it
// sleeps, when all calls have been answered.
func (c *Conn) fillRaw() (int, error) {
	if c.role == h2.Server && c.quiet() {
		n, polls, err := c.look()
		c.mu.Lock()
		c.reading.spin.looked(polls)
		c.mu.Unlock()
		if n > 0 || err != nil {
			return n, err
		}
	}
	return c.raw.read(&c.reader)
}

// quiet tells that there are no streams, and that looking for one is worth it.
func (c *Conn) quiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams.len() > 0 {
		return false
	}
	c.reading.spin.chance(c.frames)
	return c.reading.spin.worth()
}

// maxLed is how many reads a receiver does for others before it hands the role
// back.
const maxLed = 16

// lead reads for the receiver of st, who has claimed the role, until it has what
// it waits for, or as long as looking is worth it. Then it leaves the role.
func (c *Conn) lead(st *stream) {
	longest := 0
	for range maxLed {
		n, polls, err := c.look()
		longest = max(longest, polls)
		if n > 0 {
			c.parse()
		}
		if err != nil {
			c.fail(0, c.readError(err))
			break
		}
		if n == 0 || c.ledEnough(st) {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	g := &c.reading
	g.spin.looked(longest)
	c.reader.release()
	g.taken = false
	if c.role == h2.Server {
		g.aside = time.Now()
	}
	if c.needReaderLocked() {
		c.resumeLocked()
	} else {
		c.armStewardLocked()
	}
}

// ledEnough tells whether the receiver of st has nothing more to read for.
func (c *Conn) ledEnough(st *stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !st.sleeping || c.err != nil || c.reader.pause > 0 || c.replies.Paused()
}

// lendLocked tells whether the connection's goroutine shall serve accepted
// streams itself after a turn.
func (c *Conn) lendLocked() bool {
	r := &c.reader
	return r.opened > 0 && c.wholeLocked() && !c.cfg.NoInline && c.err == nil && r.pause == 0 && c.reading.trust.given()
}

// wholeLocked tells whether the next stream's request has come whole, so that
// its handler need not wait for what this goroutine would have to read.
func (c *Conn) wholeLocked() bool {
	a := &c.accepted
	return a.waiting() > 0 && a.queue[a.head].st.ended
}

// serveLent runs the handlers of accepted streams on the connection's goroutine,
// one after the other. What they send leaves together, when the goroutine has
// nothing more to do. It reports whether the goroutine still has the reader's
// role afterwards.
func (c *Conn) serveLent() (kept bool) {
	g := &c.reading
	serving := false
	defer func() {
		if serving {
			// The handler ends its goroutine, which is this one.
			c.mu.Lock()
			c.handOverLocked()
			c.flush()
			c.handlerDone()
		}
	}()
	began, served := time.Now(), 0
	c.mu.Lock()
	terms := g.terms
	c.armStewardLocked()
	for c.wholeLocked() {
		s := c.nextLocked()
		if s == nil {
			break
		}
		g.lent = s.st
		c.mu.Unlock()
		// From here on, another goroutine may get the role.
		serving = true
		c.handler.ServeStream(s, s.header)
		serving = false
		served++
		c.mu.Lock()
		c.servedLocked(s)
		if g.terms != terms {
			break
		}
	}
	g.trust.judge(time.Since(began), served)
	call := c.callLocked()
	if kept = g.terms == terms; kept {
		g.lent = nil
		c.mu.Unlock()
	} else {
		c.flush()
	}
	if call {
		c.workers.start(c)
	}
	return kept
}

// handOverLocked has a new goroutine read, while the connection's is in a
// handler that takes its time. That one does not come back to reading. What has
// been held back must be flushed.
func (c *Conn) handOverLocked() {
	if c.reading.lent != nil {
		c.reading.lent = nil
		c.reading.terms++
		c.corked = false
		go c.takeOver()
	}
}

// takeOver is readLoop for a goroutine that gets the role in mid-turn: there may
// be frames left to parse.
func (c *Conn) takeOver() {
	if c.parseOwn() {
		c.readLoop()
	}
}

// aboutToWaitLocked sees to it that somebody reads while st's user waits.
func (c *Conn) aboutToWaitLocked(st *stream) {
	if st != nil && st == c.reading.lent {
		c.handOverLocked()
		return
	}
	c.resumeLocked()
}

func (c *Conn) stewardTime() time.Duration {
	if c.role == h2.Server {
		return stewardTimeServer
	}
	return stewardTimeClient
}

func (c *Conn) armStewardLocked() {
	g := &c.reading
	if g.armed {
		return
	}
	g.armed, g.seen = true, g.turns
	if g.steward == nil {
		g.steward = time.AfterFunc(c.stewardTime(), c.tend)
		return
	}
	g.steward.Reset(c.stewardTime())
}

// tend is the steward's look at the connection.
func (c *Conn) tend() {
	c.mu.Lock()
	call := c.tendLocked()
	c.flush()
	if call {
		c.workers.start(c)
	}
}

// tendLocked sees to it that somebody reads, if nothing has been read since the
// last time, and tells whether a worker must be called.
func (c *Conn) tendLocked() (call bool) {
	g := &c.reading
	idle := g.lent == nil && (g.taken || !g.resting)
	if c.err != nil || idle {
		g.armed = false
		return false
	}
	if g.seen != g.turns {
		g.seen = g.turns
		g.steward.Reset(c.stewardTime())
		return false
	}
	g.armed = false
	if c.role == h2.Server {
		g.trust.judge(stewardTimeServer, 1)
	}
	c.handOverLocked()
	c.resumeLocked()
	return c.callLocked()
}
