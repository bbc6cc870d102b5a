package h2

import (
	"strconv"
	"strings"

	"github.com/yodelrpc/yodel/internal/frame"
)

// maxGoAwayDebug is how many bytes of a peer's debug data are kept.
const maxGoAwayDebug = 256

// GoAway is the end of a connection as GOAWAY tells it, in both directions (RFC
// 9113 §6.8). The zero value is a connection that goes on.
type GoAway struct {
	received bool
	last     uint32
	code     frame.Code
	debug    string

	sent     bool
	sentLast uint32
}

// Receive is GOAWAY received; we are role.
func (g *GoAway) Receive(f frame.GoAway, role Role) error {
	if g.received && f.Last > g.last {
		// RFC 9113 §6.8: streams above the last one may be elsewhere by now.
		return connectionError(frame.CodeProtocol, "GOAWAY raises its last stream from "+
			strconv.FormatUint(uint64(g.last), 10)+" to "+strconv.FormatUint(uint64(f.Last), 10))
	}
	if role == Client && f.Last != 0 && f.Last%2 == 0 {
		// RFC 9113 §6.8: it names a stream of ours, and those are odd (§5.1.1).
		return connectionError(frame.CodeProtocol, "GOAWAY names stream "+
			strconv.FormatUint(uint64(f.Last), 10)+", which a client cannot open")
	}
	g.received, g.last, g.code = true, f.Last, f.Code
	g.debug = strings.Clone(string(f.Debug[:min(len(f.Debug), maxGoAwayDebug)]))
	return nil
}

// Received tells whether the peer wants no new streams.
func (g *GoAway) Received() bool { return g.received }

// Unprocessed tells that the peer has not processed our stream id and will not,
// so that its call can be tried again elsewhere.
func (g *GoAway) Unprocessed(id uint32) bool { return g.received && id > g.last }

// Code is the code that the peer gave last.
func (g *GoAway) Code() frame.Code { return g.code }

// Debug is the start of the debug data that the peer gave last. It is text of
// the peer's choosing: quote it before it is shown or logged.
func (g *GoAway) Debug() string { return g.debug }

// Announce is the first of the two steps of a graceful end: send GOAWAY with
// last, which forbids nothing yet, then a PING; once that is answered Finish.
// False if there was a GOAWAY already.
func (g *GoAway) Announce() (last uint32, first bool) {
	if g.sent {
		return g.sentLast, false
	}
	g.sent, g.sentLast = true, frame.MaxStreamID
	return g.sentLast, true
}

// Finish is the second step, and the only one of a sudden end: send GOAWAY with
// last, which never grows. highest is StreamIDs.HighestRemote; streams above it
// are ignored from now on.
func (g *GoAway) Finish(highest uint32) (last uint32) {
	if !g.sent || highest < g.sentLast {
		g.sentLast = highest
	}
	g.sent = true
	return g.sentLast
}

// Sent tells whether we told the peer to open no more streams.
func (g *GoAway) Sent() bool { return g.sent }

// Ignores tells that stream id, opened by the peer, came too late. Its header
// block must be decoded and its DATA credited, and nothing else done (RFC 9113
// §6.8).
func (g *GoAway) Ignores(id uint32) bool { return g.sent && id > g.sentLast }
