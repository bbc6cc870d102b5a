package http2

import (
	"strconv"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/internal/hpack"
	"github.com/yodelrpc/yodel/transport"
)

// maxSent bounds the encodings that a connection remembers.
const maxSent = 256

// sentBlocks remembers how blocks were encoded. An encoding made of indexed
// fields alone stays true until the compression table changes.
type sentBlocks struct {
	blocks map[*transport.Block]*sentBlock
	last   *transport.Block // the one used last, and
	known  *sentBlock       // what is known of it

	timeout string // the last one sent, and
	repeats int    // how often it was the same
}

// timeoutRepeats is how often a timeout must be the same to be worth an entry in
// the compression table. Most programs have few timeouts; those that pass on
// deadlines have a new one each time, which would only push others out.
const timeoutRepeats = 3

func (s *sentBlocks) timeoutIndexing(value string) hpack.Indexing {
	if value != s.timeout {
		s.timeout, s.repeats = value, 0
		return hpack.IndexNever
	}
	if s.repeats++; s.repeats < timeoutRepeats {
		return hpack.IndexNever
	}
	return hpack.IndexAlways
}

type sentBlock struct {
	block      *transport.Block
	generation uint64
	bytes      []byte // nil until the encoding is made of indexed fields alone
	size       int    // as RFC 9113 §6.5.2 counts
}

// noBlock stands for a Header without one.
var noBlock = &transport.Block{}

// find returns what is known of a header section's block.
func (s *sentBlocks) find(b *transport.Block) *sentBlock {
	if b == nil {
		b = noBlock
	}
	if b == s.last {
		return s.known
	}
	known := s.blocks[b]
	if known == nil {
		known = &sentBlock{block: b, size: blockSize(b)}
		if s.last != nil {
			s.remember(known)
		}
	}
	s.last, s.known = b, known
	return known
}

// remember adds a block to those that are known. The first needs no map.
func (s *sentBlocks) remember(known *sentBlock) {
	if len(s.blocks) == 0 || len(s.blocks) >= maxSent {
		s.blocks = map[*transport.Block]*sentBlock{s.last: s.known}
	}
	s.blocks[known.block] = known
}

// appendHeaderLocked appends a header section, in as many frames as it needs.
func (c *Conn) appendHeaderLocked(id uint32, h *transport.Header, end bool) {
	known := c.sent.find(h.Block)
	dst := c.room(frame.HeadLen + len(known.bytes) + 64)
	start := len(dst)
	dst = append(dst, make([]byte, frame.HeadLen)...)
	body := len(dst)
	dst = c.enc.Begin(dst)
	if known.bytes != nil && known.generation == c.enc.Generation() {
		dst = append(dst, known.bytes...)
	} else {
		dst = c.encodeBlock(dst, known)
	}
	for i := range h.More {
		indexing := hpack.IndexAuto
		if h.More[i].Name == "grpc-timeout" {
			indexing = c.sent.timeoutIndexing(h.More[i].Value)
		}
		dst = c.enc.AppendField(dst, h.More[i], indexing)
	}
	if n := len(dst) - body; n <= int(c.peer.MaxFrameSize) {
		frame.PutHead(dst[start:], frame.Head{
			Length: n, Type: frame.TypeHeaders, Flags: frame.HeadersFlags(end, true), StreamID: id,
		})
		c.out.bytes = dst
		return
	}
	block := append([]byte(nil), dst[body:]...)
	c.out.bytes = frame.AppendHeaderBlock(dst[:start], id, block, end, int(c.peer.MaxFrameSize))
}

// encodeBlock encodes a block, and remembers the bytes if they will be the same next
// time.
func (c *Conn) encodeBlock(dst []byte, known *sentBlock) []byte {
	start, b := len(dst), known.block
	if b.Method != "" {
		dst = c.enc.AppendField(dst, hpack.Field{Name: ":method", Value: b.Method}, hpack.IndexAlways)
		dst = c.enc.AppendField(dst, hpack.Field{Name: ":scheme", Value: b.Scheme}, hpack.IndexAlways)
		dst = c.enc.AppendField(dst, hpack.Field{Name: ":path", Value: b.Path}, hpack.IndexAlways)
		dst = c.enc.AppendField(dst, hpack.Field{Name: ":authority", Value: b.Authority}, hpack.IndexAlways)
	}
	if b.Status != 0 {
		dst = c.enc.AppendField(dst, hpack.Field{Name: ":status", Value: strconv.Itoa(b.Status)}, hpack.IndexAlways)
	}
	for i := range b.Fields {
		dst = c.enc.AppendField(dst, b.Fields[i], hpack.IndexAlways)
	}
	known.bytes = nil
	if encoded := dst[start:]; hpack.IndexedPrefix(encoded) == len(encoded) {
		known.bytes = append([]byte(nil), encoded...)
		known.generation = c.enc.Generation()
	}
	return dst
}

// fieldSize is a field's size as RFC 9113 §6.5.2 counts it.
func fieldSize(name, value string) int { return len(name) + len(value) + 32 }

func blockSize(b *transport.Block) int {
	n := 0
	if b.Method != "" {
		n += fieldSize(":method", b.Method) + fieldSize(":scheme", b.Scheme) +
			fieldSize(":path", b.Path) + fieldSize(":authority", b.Authority)
	}
	if b.Status != 0 {
		n += fieldSize(":status", "200")
	}
	for i := range b.Fields {
		n += fieldSize(b.Fields[i].Name, b.Fields[i].Value)
	}
	return n
}

// checkHeaderLocked refuses a header section that the peer would refuse.
func (c *Conn) checkHeaderLocked(h *transport.Header) error {
	limit := c.peer.MaxHeaderListSize
	size := c.sent.find(h.Block).size
	for i := range h.More {
		size += fieldSize(h.More[i].Name, h.More[i].Value)
	}
	if uint64(size) <= uint64(limit) {
		return nil
	}
	return &transport.Error{
		Initiator:   transport.Local,
		Reason:      transport.ReasonHeaderTooLarge,
		Unprocessed: false,
		Text: "the header section has " + strconv.Itoa(size) + " bytes and the peer accepts " +
			strconv.FormatUint(uint64(limit), 10) + " (its SETTINGS_MAX_HEADER_LIST_SIZE)",
	}
}
