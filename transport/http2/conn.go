package http2

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/internal/hpack"
	"github.com/yodelrpc/yodel/transport"
)

// lingerTime is how long a connection that failed may take to get its last
// frames out, and how long a server reads on so that they are not lost to a
// TCP reset.
const lingerTime = time.Second

// aLongTimeAgo is a deadline that ends reads and writes at once.
var aLongTimeAgo = time.Unix(1, 0)

// Conn is one HTTP/2 connection, of either role. It implements
// [transport.Conn].
type Conn struct {
	role     h2.Role
	nc       net.Conn
	raw      *rawSocket      // nil if nc is not a plain socket
	socket   syscall.RawConn // to wait for while the connection rests; nil if it cannot
	cfg      *Config         // shared with others, and not changed
	info     transport.ConnInfo
	registry *transport.Registry
	dialer   *Dialer // client

	events  transport.ConnEvents // client
	handler transport.Handler    // server
	expect  transport.Demand     // server: what a handler is going to wait for; nil is not known
	workers *workers             // server
	// ended is called when the connection has; nil does nothing.
	ended func()
	// offenders is shared by the connections of a listener; nil if there is none.
	offenders *offenders

	done chan struct{} // closed when reader and flusher have ended

	reader reader // its holder's own; see reader.go
	chain  chain
	wave   wave
	orders orders

	// refs is held while what writing refers to is read. It is taken before mu.
	refs sync.Mutex

	mu sync.Mutex // guards all below

	err      *transport.Error // why the connection ended; nil while it lives
	failing  chan struct{}    // closed when err is set; nil if nobody has waited for it
	draining *transport.Error // why it takes no new streams
	finished bool             // done is closed, or about to be
	readerUp bool
	dialing  bool
	met      bool // the peer speaks HTTP/2: its first frame is SETTINGS
	reading  reading
	rest     rest
	alive    *keepalive // nil until there is a call to watch over

	streams streamTable
	found   *stream // the one that was looked for last, if it is among them
	ids     h2.StreamIDs
	goAway  h2.GoAway

	// Client: streams in use against the peer's limit, and who waits for one.
	active   int
	openings []*opening
	// Server: streams that wait for a handler, or have one.
	accepted   accepted
	headerSize int // of the streams' header sections, as far as they are not shared

	peer       h2.Settings
	acks       h2.SettingsAcks
	frameSize  int         // largest frame that the peer may send
	ackTimer   *time.Timer // until the peer acknowledges SETTINGS
	drainTimer *time.Timer // until the final GOAWAY
	enc        *hpack.Encoder
	sent       sentBlocks
	waiters    waiters
	sleepers   int   // receivers that wait
	senders    int   // senders that wait for a window, or the lane
	lane       *lane // nil until there is a large message
	sendWindow h2.SendWindow
	blocked    []*stream // wait for sendWindow, first come first served
	recvWindow h2.RecvWindow
	unread     int // buffered bytes that nobody waits for
	proven     int // what receivers may wait for: the largest message that has come, and a byte
	ahead      int // memory that messages have got before their bytes
	streamSize int // current receive window of new streams
	estimator  h2.Estimator
	budget     *h2.Budget // nil until something is charged
	pingPolicy h2.PingPolicy

	outboxes     outboxes
	out          pending // frames to be written
	writing      pending // what is being written; the flusher's, but for its refs' data
	flushing     bool
	turn         bool   // the reader is in a turn, and will see to flushing after it
	corked       bool   // the reader serves what it has accepted, and will flush then
	keeps        bool   // the last large message has kept its memory
	drainNews    bool   // the owner is to hear that the connection drains
	frames       uint64 // DATA frames that the connection has carried, both ways
	taken        uint64 // bytes taken out of out in all, and
	written      uint64 // written of them
	flushWaiters []flushWaiter
	replies      h2.Replies
	outReplies   replyCount // the peer-provoked part of out
}

var _ transport.Conn = (*Conn)(nil)

func newConn(role h2.Role, nc net.Conn, auth transport.AuthInfo, cfg *Config) *Conn {
	protocol := "h2c"
	if auth != nil && auth.SecurityProtocol() != "insecure" {
		protocol = "h2"
	}
	c := &Conn{
		role:   role,
		nc:     nc,
		raw:    newRawSocket(nc),
		socket: dozeOn(nc),
		cfg:    cfg,
		info: transport.ConnInfo{
			Protocol: protocol,
			Local:    nc.LocalAddr(),
			Remote:   nc.RemoteAddr(),
			Auth:     auth,
		},
		done:       make(chan struct{}),
		ids:        h2.NewStreamIDs(role, 0),
		peer:       h2.DefaultSettings(),
		enc:        hpack.NewEncoder(),
		sendWindow: h2.NewSendWindow(h2.InitialWindow),
		recvWindow: h2.NewRecvWindow(h2.InitialWindow),
		streamSize: cfg.StreamWindow,
		estimator:  h2.NewEstimator(cfg.StreamWindow, 0),
		acks:       h2.NewSettingsAcks(),
		replies:    h2.NewReplies(&cfg.Limits),
		pingPolicy: h2.NewPingPolicy(cfg.Limits),
	}
	if c.raw != nil {
		c.raw.refs = &c.refs
	}
	c.frameSize = int(h2.DefaultSettings().MaxFrameSize)
	if role == h2.Client {
		c.peer.MaxConcurrentStreams = earlyStreams
	}
	c.reading.taken = true
	c.reading.spin.off = cfg.NoSpin
	c.frames = tryWindow // many connections have one call: the first frames are no try
	c.reader.init(cfg)
	return c
}

// Info implements [transport.Conn].
func (c *Conn) Info() *transport.ConnInfo { return &c.info }

// Done implements [transport.Conn].
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close implements [transport.Conn].
func (c *Conn) Close(cause error) {
	c.fail(frame.CodeNo, &transport.Error{
		Scope:     transport.ScopeConn,
		Initiator: transport.User,
		Reason:    transport.ReasonLost,
		Err:       cause,
	})
}

// fail ends the connection: code tells the peer why, err everybody here. Only
// the first call counts.
func (c *Conn) fail(code frame.Code, err *transport.Error) {
	c.mu.Lock()
	c.failLocked(code, err)
	c.flush() // unlocks
}

// failLocked is fail without the flush that must follow.
func (c *Conn) failLocked(code frame.Code, err *transport.Error) {
	if c.err != nil {
		return
	}
	c.err = err
	wasDraining := c.draining != nil
	if !wasDraining {
		c.draining = err
	}
	lost := err.Reason == transport.ReasonLost && err.Initiator != transport.User
	if !lost {
		text := err.Text
		if len(text) > 128 {
			text = text[:128]
		}
		c.out.bytes = frame.AppendGoAway(c.room(64+len(text)), c.goAway.Finish(c.ids.HighestRemote()), code, []byte(text))
	}
	if c.failing != nil {
		close(c.failing)
	}
	for _, t := range []*time.Timer{c.ackTimer, c.drainTimer, c.rest.timer, c.alive.timerOf()} {
		if t != nil {
			t.Stop()
		}
	}
	for st := range c.streams.all() {
		c.endEarlyLocked(st, c.streamError(err, st))
	}
	c.accepted.queue, c.accepted.head = nil, 0
	if c.reading.steward != nil {
		c.reading.steward.Stop()
	}
	c.handOverLocked()
	c.resumeLocked()
	c.tellSoonLocked()
	c.wakeOpeningsLocked()
	c.wakeFlushWaitersLocked()
	deadline := time.Now().Add(lingerTime)
	if lost {
		c.out.reset()
		_ = c.nc.SetDeadline(aLongTimeAgo)
	} else {
		_ = c.nc.SetDeadline(deadline)
		if c.dialing {
			_ = c.nc.SetReadDeadline(aLongTimeAgo) // Dial reads, and returns
		}
	}
	if c.role == h2.Client && c.events != nil && !c.finished {
		go c.tellClosed(wasDraining)
	}
	c.finishLocked()
}

// aliveLocked tells whether the connection has not failed.
func (c *Conn) aliveLocked() bool { return c.err == nil }

// tellClosed runs apart from the locks and from the reader, and ends when the
// owner has taken note.
func (c *Conn) tellClosed(wasDraining bool) {
	if !wasDraining {
		c.events.ConnDraining(c, c.err)
	}
	c.events.ConnClosed(c, c.err)
}

// tellLocked lets w hear of its stream's end: at the end of the reader's turn, or when
// tellSoonLocked is called.
func (c *Conn) tellLocked(w transport.Watcher, err error) {
	c.reader.told = append(c.reader.told, told{w, err})
}

// tellSoonLocked lets watchers hear outside of the locks. The goroutine ends
// when they have.
func (c *Conn) tellSoonLocked() {
	if c.turn || len(c.reader.told) == 0 {
		return
	}
	list := c.reader.told
	c.reader.told = nil
	go func() {
		for _, t := range list {
			t.w.StreamFailed(t.err)
		}
	}()
}

// streamError is what a stream sees of a connection's end. The peer cannot have
// acted on a stream that it never saw.
func (c *Conn) streamError(err *transport.Error, st *stream) error {
	e := *err
	e.Sent = true
	e.Unprocessed = c.role == h2.Client && (c.goAway.Unprocessed(st.id) || !c.met && e.Reason == transport.ReasonProtocol)
	return &e
}

// finishLocked ends the connection if that is due.
func (c *Conn) finishLocked() {
	if !c.finishesLocked() {
		return
	}
	if c.raw == nil || c.ended != nil {
		// Over TLS it waits for the peer to take the closing alert. The
		// goroutine ends with that, and with what the owner does.
		go c.release()
		return
	}
	c.release()
}

// finishesLocked tells, once, that the connection has failed, the reader has gone and
// nothing is being written. Then release must be called.
func (c *Conn) finishesLocked() bool {
	if c.err == nil || c.readerUp || c.flushing || c.finished {
		return false
	}
	c.finished = true
	c.out.reset()
	return true
}

// release lets go of what the connection held outside. It may wait.
func (c *Conn) release() {
	_ = c.nc.Close()
	c.registry.Remove(c.info.ID)
	close(c.done)
	if c.ended != nil {
		c.ended()
	}
}

// lostError is the end of a connection by the network's doing.
func lostError(err error) *transport.Error {
	e := &transport.Error{
		Scope:     transport.ScopeConn,
		Initiator: transport.Local,
		Reason:    transport.ReasonLost,
		Err:       err,
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		e.Reason = transport.ReasonTimeout
	}
	return e
}
