package http2

import (
	"bytes"
	"runtime"
	"time"

	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/internal/hpack"
	"github.com/yodelrpc/yodel/transport"
)

// preface is what a client says first (RFC 9113 §3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const (
	// maxFrameSize is what this side accepts once largeSize bytes have come at a
	// time: large DATA frames can be read to where they belong.
	maxFrameSize = 128 << 10
	largeSize    = 32 << 10
	// readSize is how much is read at once. The buffer is lent only while
	// there is something to read.
	readSize = 64 << 10
	// sleepSize is the buffer held while sleeping in a connection that cannot
	// tell when it becomes readable (TLS, pipes).
	sleepSize = 4 << 10
)

// reader is the state of the reader's role. Only its holder touches it, but for
// the fields that Conn.mu guards.
type reader struct {
	buf        []byte // lent, len is its whole size; nil while asleep
	start, end int    // buf[start:end] is unparsed
	stash      []byte // an incomplete frame, kept while asleep
	full       bool   // the last read filled its buffer

	prefaceLeft string // still to be read
	first       bool   // the next frame must be SETTINGS
	data        partialData
	aiming
	block  h2.HeaderBlock
	open   bool // the block is incomplete
	dec    *hpack.Decoder
	limits hpack.Limits
	seen   seenBlocks
	fields []hpack.Field

	frames      uint64 // frames completed outside of header blocks
	deadlineFor uint64 // the value of frames that the read deadline is for
	hasDeadline bool
	opened      int           // streams in this turn
	woken       int           // receivers in this turn
	comesBack   bool          // the last of them is likely to wait again soon
	lend        bool          // the connection's goroutine serves what this turn has accepted
	pause       time.Duration // before the next turn

	// effects of the turn, guarded by Conn.mu; spare has the lists of the turn before,
	// to be used again.
	effects
	spare effects
	// processors is how many of those that return are woken at the same time.
	processors int
}

// effects is who hears of what a turn has brought when it is over.
type effects struct {
	wakes []*waiter
	// returns are those that make another call first, as a rule (see chain).
	returns []*waiter
	told    []told
}

// partialData is a DATA frame of which more is to come.
type partialData struct {
	id   uint32
	left int
	end  bool
}

// told is a watcher that is to hear of its stream's end.
type told struct {
	w   transport.Watcher
	err error
}

func (r *reader) init(cfg *Config) {
	r.first = true
	r.processors = runtime.GOMAXPROCS(0)
	r.block = h2.NewHeaderBlock(&cfg.Limits)
	r.dec = hpack.NewDecoder(hpack.DefaultTableSize)
	r.limits = hpack.Limits{Bytes: cfg.Limits.HeaderBytes, Fields: cfg.Limits.HeaderFields}
}

// readLoop is the work of the connection's own goroutine, which has the reader's
// role. It belongs to the connection and ends with it, or after another one has
// taken its place (see handOverLocked).
func (c *Conn) readLoop() {
	for {
		goesOn, kept := c.read()
		if !kept {
			return
		}
		if !goesOn {
			break
		}
		c.stepAside()
	}
	c.reader.drop()
	c.mu.Lock()
	c.readerUp = false
	finishes := c.finishesLocked()
	c.mu.Unlock()
	if finishes {
		c.release()
	}
}

// serveLoop is readLoop for a server's new connection: what the client has sent
// meanwhile is answered together with the server's preface.
func (c *Conn) serveLoop(others *newcomers) {
	if c.raw != nil {
		if n, _ := c.lookFirst(others); n > 0 && !c.failed() && !c.parseOwn() {
			return
		}
	}
	c.mu.Lock()
	c.flush()
	c.readLoop()
}

// read reads once. It reports whether there may be more, and whether this
// goroutine still has the reader's role.
func (c *Conn) read() (goesOn, kept bool) {
	c.awaitReplies()
	if pause := c.reader.pause; pause > 0 {
		c.reader.pause = 0
		c.sleep(pause)
	}
	c.armDeadline()
	n, err := c.fill()
	if n > 0 && !c.failed() && !c.parseOwn() {
		return false, false
	}
	if c.failed() {
		c.linger()
		return false, true
	}
	switch {
	case err == nil:
	case !c.toRest(err):
		c.fail(frame.CodeNo, c.readError(err))
		return false, true
	case !c.reader.incomplete():
		c.restNow()
		return false, false
	}
	return true, true
}

// readError says what the peer left undone if a deadline ended the read.
func (c *Conn) readError(err error) *transport.Error {
	e := lostError(err)
	c.mu.Lock()
	if c.draining != nil && c.draining.Initiator == transport.Peer {
		e.Text = c.draining.Text // what the peer said before it left
	}
	c.mu.Unlock()
	switch timeout := e.Reason == transport.ReasonTimeout; {
	case timeout && c.reader.first:
		e.Text = "the peer's SETTINGS did not arrive within " + c.cfg.Limits.HandshakeTime.String()
	case timeout:
		e.Text = "a frame or header section did not arrive whole within " + c.cfg.Limits.HeaderBlockTime.String()
	case c.reader.first && e.Text == "":
		e.Text = "the peer has sent no SETTINGS"
	}
	return e
}

func (c *Conn) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil
}

// linger reads and drops what still comes: nothing is parsed after a
// connection error, but closing a socket with unread bytes sends a TCP reset,
// which would destroy the GOAWAY on its way.
func (c *Conn) linger() {
	if !c.lingers() {
		return
	}
	var drop [512]byte
	for {
		if _, err := c.nc.Read(drop[:]); err != nil {
			return
		}
	}
}

// lingers tells whether a connection that has failed reads on for a while: a
// server's, and a client's that tells the server what it did wrong.
func (c *Conn) lingers() bool {
	return c.role == h2.Server || c.err.Initiator == transport.Local
}

// sleep pauses reading. The end of the connection interrupts it.
func (c *Conn) sleep(d time.Duration) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if c.failing == nil {
		c.failing = make(chan struct{})
	}
	failing := c.failing
	c.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-failing:
	}
}

// armDeadline bounds the time that an incomplete header section may take, from
// its first byte.
func (c *Conn) armDeadline() {
	r := &c.reader
	if r.first {
		return // the handshake's own deadline holds
	}
	incomplete := r.incomplete()
	if incomplete == r.hasDeadline && r.frames == r.deadlineFor {
		return
	}
	r.deadlineFor = r.frames
	if !incomplete && !r.hasDeadline {
		return
	}
	r.hasDeadline = incomplete && c.cfg.Limits.HeaderBlockTime > 0
	var at time.Time
	if r.hasDeadline {
		at = time.Now().Add(c.cfg.Limits.HeaderBlockTime)
	}
	c.setReadDeadline(at)
}

// incomplete tells whether a frame, or a header section, is to go on.
func (r *reader) incomplete() bool { return r.start < r.end || len(r.stash) > 0 || r.open }

// setReadDeadline leaves the deadline of a connection that failed alone.
func (c *Conn) setReadDeadline(at time.Time) {
	c.mu.Lock()
	if c.err == nil {
		_ = c.nc.SetReadDeadline(at)
	}
	c.mu.Unlock()
}

// fill reads some bytes behind those that are unparsed.
func (c *Conn) fill() (int, error) {
	if c.raw != nil {
		return c.fillRaw()
	}
	r := &c.reader
	if r.direct != nil {
		n, err := c.nc.Read(r.direct)
		r.got = n
		return n, err
	}
	size := sleepSize
	if r.full {
		size = readSize
	}
	r.borrow(size)
	n, err := c.nc.Read(r.buf[r.end:])
	r.end += n
	r.full = r.end == len(r.buf)
	return n, err
}

// borrow makes room to read: at least size bytes in all, and more than what is
// unparsed.
func (r *reader) borrow(size int) {
	if r.buf != nil && (r.end < len(r.buf) || r.start > 0) {
		if r.start > 0 {
			r.end = copy(r.buf, r.buf[r.start:r.end])
			r.start = 0
		}
		if len(r.buf) >= size {
			return
		}
	}
	old, from := r.buf, r.buf[r.start:r.end]
	if r.buf == nil {
		old, from = r.stash, r.stash
		r.stash = nil
	}
	b := buffer.Get(max(size, 2*len(from)))
	b = b[:cap(b)]
	r.end = copy(b, from)
	r.start = 0
	r.buf = b
	if old != nil {
		buffer.Put(old)
	}
}

// release gives the buffer back before a sleep. An incomplete frame moves to a
// buffer of its own size.
func (r *reader) release() {
	if r.buf == nil {
		return
	}
	if left := r.end - r.start; left > 0 {
		r.stash = append(buffer.Get(left), r.buf[r.start:r.end]...)
	}
	buffer.Put(r.buf)
	r.buf, r.start, r.end = nil, 0, 0
}

// drop gives everything back at the end.
func (r *reader) drop() {
	r.start, r.end = 0, 0
	r.release()
	if r.stash != nil {
		buffer.Put(r.stash)
		r.stash = nil
	}
}

// parse takes turns until no complete frame is left.
func (c *Conn) parse() {
	for c.takeTurn(false) {
		runtime.Gosched()
	}
}

// parseOwn is parse for the connection's own goroutine, which may serve what has
// been accepted itself. It reports whether the goroutine still has the reader's
// role.
func (c *Conn) parseOwn() (kept bool) {
	for more := true; more; {
		more = c.takeTurn(true)
		if c.reader.lend && !c.serveLent() {
			return false
		}
		c.uncork()
		if more {
			runtime.Gosched()
		}
	}
	return true
}

// uncork writes what has been held back for answers.
func (c *Conn) uncork() {
	c.mu.Lock()
	c.corked = false
	if !c.pendingLocked() {
		c.mu.Unlock()
		return
	}
	c.flushNow(false) // unlocks
}

// framesPerHold is how many frames the reader handles before others get at the
// connection's lock.
const framesPerHold = 32

// takeTurn parses the complete frames in the buffer, and then lets their
// effects happen. It reports whether there are more frames: a turn ends early
// when it has started many streams, and the next request comes. What belongs to
// the last of them is in the turn: a request that is not whole has a worker woken.
func (c *Conn) takeTurn(own bool) (more bool) {
	r := &c.reader
	r.opened, r.woken = 0, 0
	c.mu.Lock()
	c.turn = true
	c.reading.turns++
	err := c.readPreface()
	for n := 1; err == nil; n++ {
		if c.err != nil {
			r.start = r.end // RFC 9113 §5.4.1: nothing counts after a connection error
			break
		}
		if r.opened >= c.cfg.Limits.StreamsPerTurn && r.next() == frame.TypeHeaders {
			more = true
			break
		}
		if n%framesPerHold == 0 {
			c.mu.Unlock()
			c.mu.Lock()
		}
		var ok bool
		if ok, err = c.nextFrameLocked(); !ok {
			break
		}
	}
	if err != nil {
		c.protocolErrorLocked(err)
		r.start = r.end
		more = false
	}
	if r.start == r.end && c.raw == nil {
		r.start, r.end = 0, 0
	}
	c.aimLocked()
	c.makeRoomLocked()
	c.endTurnLocked(own)
	return more
}

// protocolErrorLocked ends the connection for a rule that the peer broke.
func (c *Conn) protocolErrorLocked(err error) {
	te, fe := fromFrame(err)
	c.failLocked(fe.Code, te)
}

// endTurnLocked lets the effects of a turn happen, and releases the lock. own
// tells that this is the connection's goroutine, which may be about to serve what
// it has accepted: then what is pending waits for the answers.
func (c *Conn) endTurnLocked(own bool) {
	r := &c.reader
	c.turn = false
	done := r.effects
	r.effects = r.spare
	draining := c.drainNews
	c.drainNews = false
	r.lend = own && c.lendLocked()
	c.corked = r.lend || c.corked && own
	call := !r.lend && c.callLocked()
	unsent := !c.corked && (c.pendingLocked() || c.err != nil)
	c.mu.Unlock()
	for _, w := range done.wakes {
		w.wake()
	}
	c.chain.add(done.returns, r.processors)
	if call {
		c.workers.start(c)
	}
	if unsent {
		c.mu.Lock()
		c.flushNow(false) // unlocks
	}
	for _, t := range done.told {
		t.w.StreamFailed(t.err)
	}
	if draining && c.events != nil {
		c.events.ConnDraining(c, c.draining)
	}
	r.spare = done.cleared()
}

// cleared returns the lists, empty.
func (e effects) cleared() effects {
	clear(e.wakes)
	clear(e.returns)
	clear(e.told)
	return effects{e.wakes[:0], e.returns[:0], e.told[:0]}
}

// next is the type of the next frame; TypeData if only a part of one, or of its head, has
// come.
func (r *reader) next() frame.Type {
	have := r.buf[r.start:r.end]
	if r.data.left > 0 || len(have) < frame.HeadLen {
		return frame.TypeData
	}
	return frame.ParseHead(have).Type
}

// readPreface checks the bytes that come before a client's first frame.
func (c *Conn) readPreface() error {
	r := &c.reader
	n := min(len(r.prefaceLeft), r.end-r.start)
	if n == 0 {
		return nil
	}
	if !bytes.Equal(r.buf[r.start:r.start+n], []byte(r.prefaceLeft[:n])) {
		return &frame.Error{Code: frame.CodeProtocol, Text: "the peer does not speak HTTP/2: no connection preface"}
	}
	r.start += n
	r.prefaceLeft = r.prefaceLeft[n:]
	return nil
}

// nextFrameLocked handles one frame, or as much of a DATA frame as there is.
func (c *Conn) nextFrameLocked() (ok bool, err error) {
	r := &c.reader
	if len(r.prefaceLeft) > 0 {
		return false, nil
	}
	have := r.buf[r.start:r.end]
	if r.data.left > 0 {
		return c.restOfDataLocked()
	}
	if len(have) < frame.HeadLen {
		return false, nil
	}
	h := frame.ParseHead(have)
	if err := c.checkHead(h); err != nil {
		return false, err
	}
	r.expect(h)
	have = have[frame.HeadLen:]
	if len(have) < h.Length {
		if h.Type != frame.TypeData || h.Has(frame.FlagPadded) || len(have) == 0 {
			return false, nil
		}
		if h.StreamID == 0 {
			return false, &frame.Error{Code: frame.CodeProtocol, Text: "DATA on stream 0"}
		}
		r.start += frame.HeadLen
		r.frames++
		c.frames++
		r.data = partialData{id: h.StreamID, left: h.Length, end: h.Has(frame.FlagEndStream)}
		return true, nil
	}
	r.start += frame.HeadLen + h.Length
	err = c.judgeLocked(c.receiveLocked(h, have[:h.Length]))
	if !r.open {
		r.frames++
	}
	return true, err
}

// restOfDataLocked handles what has come of an incomplete DATA frame.
func (c *Conn) restOfDataLocked() (ok bool, err error) {
	r := &c.reader
	data := r.direct[:r.got]
	r.direct, r.got = nil, 0
	if len(data) == 0 {
		n := min(r.data.left, r.end-r.start)
		data = r.buf[r.start:][:n]
		r.start += n
	}
	if len(data) == 0 {
		return false, nil
	}
	r.data.left -= len(data)
	return true, c.judgeLocked(c.receiveDataLocked(r.data.id, data, len(data), r.data.end && r.data.left == 0))
}

// checkHead refuses a frame before its payload is read: one that is too large
// (RFC 9113 §4.2), one that interrupts a header section (§6.10), or anything
// but SETTINGS at the start (§3.4).
func (c *Conn) checkHead(h frame.Head) error {
	r := &c.reader
	if r.first && (h.Type != frame.TypeSettings || h.Has(frame.FlagAck)) {
		return &frame.Error{Code: frame.CodeProtocol, Text: "the first frame is " + h.Type.String() + " instead of SETTINGS"}
	}
	if err := r.block.Check(h); err != nil {
		return err
	}
	return frame.CheckSize(h, c.frameSize)
}
