package http2

import (
	"runtime"

	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/transport"
)

// Books is what a connection has in its books, for tests to see that nothing is
// left there.
type Books struct {
	Streams, Active, Running, Waiting, Unread, Blocked, Openings, FlushWaiters int
	// Lane is how many streams are in the lane, or wait for it.
	Lane int
	// Woken is how many receivers have been woken and do not run yet.
	Woken int
	// Held is what the connection's window has not given back.
	Held int
	// Ahead is memory for what has not come yet, of messages that have begun.
	Ahead int
	// Queued is how many bytes wait to be written, or are being written.
	Queued int
}

// BooksOf reads the books of a connection of this package.
func BooksOf(conn transport.Conn) Books {
	c := conn.(*Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	queued := c.out.size()
	if c.err == nil {
		queued = int(c.queuedLocked() - c.written)
	}
	b := Books{
		Streams: c.streams.len(), Active: c.active, Running: c.accepted.running, Waiting: c.accepted.waiting(),
		Unread: c.unread, Blocked: len(c.blocked), Openings: len(c.openings),
		Woken: int(c.wave.resuming.Load() + c.wave.returning.Load()), FlushWaiters: len(c.flushWaiters), Held: c.recvWindow.Held(), Queued: queued, Ahead: c.ahead,
	}
	if l := c.lane; l != nil {
		if b.Lane = len(l.waiting); l.id > 0 {
			b.Lane++
		}
	}
	return b
}

// HoldWoken has a connection take it that a receiver has been woken, and does not
// run before resume is called.
func HoldWoken(conn transport.Conn) (resume func()) {
	c := conn.(*Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wave.resuming.Add(1)
	return func() {
		if c.wave.resumed() {
			c.mu.Lock()
			c.endWaveLocked()
			c.mu.Unlock()
		}
	}
}

// RenewIDs lets a fresh client connection run out of stream ids at drainAt.
func RenewIDs(conn transport.Conn, drainAt uint32) {
	c := conn.(*Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = h2.NewStreamIDs(h2.Client, drainAt)
}

// Reading is who reads a connection.
type Reading struct {
	// Stewarded tells that the steward has been needed: the reader has stepped
	// aside, or run a handler.
	Stewarded bool
	Armed     bool // the steward is at work
	Aside     bool // the reader has stepped aside
	Sleepers  int  // receivers that wait
	Direct    int  // bytes that the next read puts where they belong
}

// ReadingOf tells who reads a connection of this package.
func ReadingOf(conn transport.Conn) Reading {
	c := conn.(*Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	return Reading{Stewarded: c.reading.steward != nil, Armed: c.reading.armed, Aside: c.reading.resting, Sleepers: c.sleepers, Direct: len(c.reader.direct)}
}

// TryNow has the reader of a fresh connection try to look at once.
func TryNow(conn transport.Conn) {
	c := conn.(*Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames = 0
}

// WithoutBooks calls f while nobody else gets at a connection's books.
func WithoutBooks(conn transport.Conn, f func()) {
	c := conn.(*Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// ConsiderRest looks whether a connection may rest, as its timer does.
func ConsiderRest(conn transport.Conn) { conn.(*Conn).considerRest() }

// RestWhile has a connection rest, and calls f when its reader has heard of that and has
// not gone to wait.
func RestWhile(conn transport.Conn, f func()) {
	c := conn.(*Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rest.due = true
	_ = c.nc.SetReadDeadline(aLongTimeAgo)
	for range 1000 {
		runtime.Gosched()
	}
	f()
}

// TurnsOf is how often the reader of a connection has parsed what there was.
func TurnsOf(conn transport.Conn) uint64 {
	c := conn.(*Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reading.turns
}
