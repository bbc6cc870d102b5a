package h2

import (
	"strconv"

	"github.com/yodelrpc/yodel/internal/frame"
)

// DefaultDrainAtID is the local identifier, three quarters of what there are,
// from which a connection should be replaced.
const DefaultDrainAtID = frame.MaxStreamID / 4 * 3

// rememberedStreams is how many of the last closed streams are remembered:
// 1 KiB a connection at most.
const rememberedStreams = 256

// weReset marks a remembered identifier; identifiers have 31 bits.
const weReset = 1 << 31

// StreamIDs hands out local stream identifiers, checks remote ones (RFC 9113
// §5.1.1), and judges frames on streams that are not there.
type StreamIDs struct {
	role    Role
	next    uint32
	drainAt uint32
	highest uint32
	// closed is a ring of the last closed streams; at is its next slot.
	closed []uint32
	at     int
}

// NewStreamIDs returns the identifiers of a fresh connection on which we are
// role. Exhausted is true from the local identifier drainAt on; zero means
// DefaultDrainAtID.
func NewStreamIDs(role Role, drainAt uint32) StreamIDs {
	if drainAt == 0 {
		drainAt = DefaultDrainAtID
	}
	ids := StreamIDs{role: role, drainAt: drainAt, next: 1}
	if role == Server {
		ids.next = 2
	}
	return ids
}

// Next takes the next local identifier; false when none is left. Identifiers
// must reach the wire in the order in which they were taken.
func (s *StreamIDs) Next() (uint32, bool) {
	if s.next > frame.MaxStreamID {
		return 0, false
	}
	id := s.next
	s.next += 2
	return id, true
}

// Exhausted tells that the connection should take no new streams and be
// replaced, while there are identifiers left for those on their way.
func (s *StreamIDs) Exhausted() bool { return s.next >= s.drainAt }

// HighestRemote is the highest identifier that the peer has opened, and what
// GOAWAY says last; zero if none.
func (s *StreamIDs) HighestRemote() uint32 { return s.highest }

// IsLocal tells whether id is one that we, not the peer, may open.
func (s *StreamIDs) IsLocal(id uint32) bool { return (id&1 == 1) == (s.role == Client) }

// IsIdle tells whether id has not been opened, nor skipped by a higher one.
func (s *StreamIDs) IsIdle(id uint32) bool {
	if s.IsLocal(id) {
		return id >= s.next
	}
	return id > s.highest
}

// OpenRemote is HEADERS of the peer on a stream that is not there: it opens the
// stream, or says why not. The error nil with opened false means that the frame
// is late and must be ignored, once its header block has been decoded.
func (s *StreamIDs) OpenRemote(id uint32) (opened bool, err error) {
	if s.role == Server && !s.IsLocal(id) && id > s.highest {
		s.highest = id
		return true, nil
	}
	return false, s.Missing(frame.TypeHeaders, id)
}

// Closed remembers that a stream has closed, and whether by our RST_STREAM:
// then frames that the peer sent before it knew are still to come.
func (s *StreamIDs) Closed(id uint32, reset bool) {
	if reset {
		id |= weReset
	}
	if len(s.closed) < rememberedStreams {
		s.closed = append(s.closed, id)
		return
	}
	s.closed[s.at] = id
	s.at = (s.at + 1) % rememberedStreams
}

// Missing judges a frame on a stream that is not there: nil means to ignore
// it, which includes decoding its header block and crediting its flow-controlled
// length to the connection.
func (s *StreamIDs) Missing(t frame.Type, id uint32) error {
	if t == frame.TypePriority || t > frame.TypeContinuation {
		return nil // RFC 9113 §5.1: PRIORITY in any state; §5.5: unknown types
	}
	if s.IsIdle(id) {
		// RFC 9113 §5.1. Even identifiers from a client (§5.1.1), and a server's
		// streams, which would need a PUSH_PROMISE, are idle for ever.
		return connectionError(frame.CodeProtocol, t.String()+" on idle stream "+strconv.FormatUint(uint64(id), 10))
	}
	if t != frame.TypeData && t != frame.TypeHeaders {
		return nil // RFC 9113 §5.1: WINDOW_UPDATE and RST_STREAM may be late
	}
	known, reset := s.remembers(id)
	switch {
	case reset:
		return nil // RFC 9113 §5.1: must be prepared to receive any frame
	case known && t == frame.TypeHeaders && s.role == Server:
		// RFC 9113 §5.1: a client that has ended a stream itself knows better.
		return connectionError(frame.CodeStreamClosed, "HEADERS on closed stream "+strconv.FormatUint(uint64(id), 10))
	case known:
		return streamError(frame.CodeStreamClosed, id, t.String()+" on a closed stream")
	case t == frame.TypeHeaders && s.role == Server:
		// RFC 9113 §5.1.1: lower than a stream opened before.
		return connectionError(frame.CodeProtocol, "HEADERS on stream "+strconv.FormatUint(uint64(id), 10)+
			" after stream "+strconv.FormatUint(uint64(s.highest), 10))
	}
	// Too old to know. Whoever cancels many streams at once gets many late
	// frames, and resetting these streams again would look like an attack.
	return nil
}

func (s *StreamIDs) remembers(id uint32) (known, reset bool) {
	for _, c := range s.closed {
		if c&^weReset == id {
			return true, c&weReset != 0
		}
	}
	return false, false
}
