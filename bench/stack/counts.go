package stack

import (
	"sync/atomic"
	"time"
)

// Counts is what an observer counts: the least that metrics of calls need.
type Counts struct {
	started, ended, failed  atomic.Int64
	sent, received, elapsed atomic.Int64
}

// Start counts a call that begins, and returns when.
func (c *Counts) Start() time.Time {
	c.started.Add(1)
	return time.Now()
}

// Sent counts the bytes of a message.
func (c *Counts) Sent(bytes int) { c.sent.Add(int64(bytes)) }

// Received counts the bytes of a message.
func (c *Counts) Received(bytes int) { c.received.Add(int64(bytes)) }

// End counts a call that began at a time and has ended.
func (c *Counts) End(began time.Time, failed bool) {
	c.ended.Add(1)
	if failed {
		c.failed.Add(1)
	}
	c.elapsed.Add(int64(time.Since(began)))
}

// Complete tells whether calls have been counted, as many ends as beginnings, with their
// messages.
func (c *Counts) Complete() bool {
	n := c.started.Load()
	return n > 0 && n == c.ended.Load() && c.failed.Load() == 0 && c.sent.Load() > 0 && c.received.Load() > 0 && c.elapsed.Load() > 0
}
