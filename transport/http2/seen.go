package http2

import (
	"slices"

	"github.com/yodelrpc/yodel/internal/hpack"
	"github.com/yodelrpc/yodel/transport"
)

const (
	// maxSeen and maxSeenBytes bound what a connection remembers: caches that
	// the peer fills need a limit in bytes (CVE-2021-44716).
	maxSeen      = 64
	maxSeenBytes = 32 << 10
	// maxMisses is how many prefixes that were met once are told from new ones.
	maxMisses = 8
)

// seenBlocks remembers what header blocks decoded to. Most blocks of a
// connection start with the same few bytes, each of which points into the
// compression table, and mean the same until the table changes.
type seenBlocks struct {
	blocks map[string]*seenBlock
	last   [sectionKinds]*seenBlock // that was found last, of each kind
	bytes  int
	misses [maxMisses]uint32 // hashes of prefixes, with the generation, that were met once
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

// metBefore notes a prefix, and reports whether it was noted before: then it is worth
// remembering. Two that have the same hash are only remembered too soon.
func (s *seenBlocks) metBefore(prefix []byte, generation uint64) bool {
	hash := uint32(2166136261) ^ uint32(generation)
	for _, b := range prefix {
		hash = (hash ^ uint32(b)) * 16777619 // FNV-1a
	}
	if slices.Contains(s.misses[:], hash) {
		return true
	}
	copy(s.misses[1:], s.misses[:])
	s.misses[0] = hash
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
