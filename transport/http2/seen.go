package http2

import (
	"github.com/yodelrpc/yodel/internal/hpack"
	"github.com/yodelrpc/yodel/transport"
)

const (
	// maxSeen and maxSeenBytes bound what a connection remembers: caches that
	// the peer fills need a limit in bytes (CVE-2021-44716).
	maxSeen      = 64
	maxSeenBytes = 32 << 10
	// missRing is how many prefixes that were met once are told from new ones.
	missRing = 8
)

// seenBlocks remembers what header blocks decoded to. Most blocks of a
// connection start with the same few bytes, each of which points into the
// compression table, and mean the same until the table changes.
type seenBlocks struct {
	blocks map[string]*seenBlock
	last   [sectionKinds]*seenBlock // that was found last, of each kind
	bytes  int
	misses [missRing]miss
	next   int
}

// seenBlock is a remembered prefix: a whole section by itself.
type seenBlock struct {
	prefix        string
	kind          sectionKind
	generation    uint64
	header        transport.Header // the Block alone
	contentLength int64
	size, fields  int // what counts against the limits
}

// miss is a prefix that was met once; meeting it again makes it worth
// remembering.
type miss struct{ hash, generation uint64 }

// find returns what the first n bytes of block decoded to.
func (s *seenBlocks) find(kind sectionKind, dec *hpack.Decoder, block []byte, lim hpack.Limits) (known *seenBlock, n int) {
	n = hpack.IndexedPrefix(block)
	if n == 0 {
		return nil, 0
	}
	prefix := block[:n]
	generation := dec.Generation()
	if last := s.last[kind]; last != nil && last.generation == generation && last.prefix == string(prefix) {
		return last, n
	}
	known = s.blocks[string(prefix)]
	if known != nil && known.generation == generation && known.kind == kind {
		s.last[kind] = known
		return known, n
	}
	if !s.metBefore(prefix, generation) {
		return nil, 0
	}
	known = decodePrefix(kind, dec, prefix, lim)
	if known == nil {
		return nil, 0
	}
	s.remember(prefix, known)
	return known, n
}

// metBefore notes a prefix, and reports whether it was noted before.
func (s *seenBlocks) metBefore(prefix []byte, generation uint64) bool {
	m := miss{hash: 14695981039346656037, generation: generation}
	for _, b := range prefix {
		m.hash = (m.hash ^ uint64(b)) * 1099511628211 // FNV-1a
	}
	for _, known := range s.misses {
		if known == m {
			return true
		}
	}
	s.misses[s.next] = m
	s.next = (s.next + 1) % missRing
	return false
}

// decodePrefix decodes a prefix by itself, which leaves the table as it is; nil
// if it does not make a section.
func decodePrefix(kind sectionKind, dec *hpack.Decoder, prefix []byte, lim hpack.Limits) *seenBlock {
	fields, err := dec.Decode(nil, prefix, lim)
	if err != nil {
		return nil
	}
	known := &seenBlock{kind: kind, generation: dec.Generation(), fields: len(fields)}
	for i := range fields {
		known.size += fieldSize(fields[i].Name, fields[i].Value)
	}
	sec, err := check(kind, 1, fields)
	if err != nil {
		return nil
	}
	known.header, known.contentLength = *sec.header, sec.contentLength
	return known
}

func (s *seenBlocks) remember(prefix []byte, known *seenBlock) {
	cost := len(prefix) + known.size
	if cost > maxSeenBytes {
		return
	}
	if s.blocks == nil || len(s.blocks) >= maxSeen || s.bytes+cost > maxSeenBytes {
		s.blocks, s.bytes = make(map[string]*seenBlock), 0
		s.last = [sectionKinds]*seenBlock{}
	}
	s.bytes += cost
	known.prefix = string(prefix)
	s.blocks[known.prefix] = known
}
