package hpack

import (
	"math/bits"
	"strings"
)

// Indexing says what an [Encoder] may remember of a field.
type Indexing uint8

const (
	// IndexAuto indexes a field once it has been seen before, not long ago. It is
	// for fields of which nothing is known, such as a user's.
	// A name that comes back with other values is indexed once, with whatever value
	// it has then.
	IndexAuto Indexing = iota
	// IndexAlways indexes a field at once. It is for values that come back, such
	// as a method's path.
	IndexAlways
	// IndexNever does not index a field. It is for values that hardly ever come
	// back, such as a timeout. Proxies may still index it: that is what
	// [metadata.Field.Sensitive] forbids.
	IndexNever
)

// Encoder encodes the header blocks that one connection sends. It is not safe
// for concurrent use.
type Encoder struct {
	table dynamicTable
	// index is nil while the table is so small that looking through it is as good.
	index *tableIndex
	// seen has the hashes of recent fields that were not indexed; nil is none.
	seen *recentSet
	// told is the table's size that the peer knows of, and smallest the smallest
	// one that it has had since then.
	told, smallest uint32
	generation     uint64
}

// NewEncoder returns an encoder with a table of DefaultTableSize.
func NewEncoder() *Encoder {
	e := &Encoder{told: DefaultTableSize, smallest: DefaultTableSize}
	e.table.max = DefaultTableSize
	return e
}

// SetPeerTableSize follows the peer's SETTINGS_HEADER_TABLE_SIZE, in bytes. The
// table never becomes larger than DefaultTableSize, whatever the peer allows:
// it is our memory.
func (e *Encoder) SetPeerTableSize(n uint32) {
	n = min(n, DefaultTableSize)
	if n == e.table.max {
		return
	}
	if n > e.table.max && e.table.max < e.told {
		// Down and up again before the peer was told: that takes two updates in
		// one block. golang.org/x/net refuses the second one unless the table is
		// empty by then, so the first one empties it.
		e.table.shrink(0)
		e.smallest = 0
	}
	e.table.shrink(n)
	e.table.max = n
	e.smallest = min(e.smallest, n)
	e.generation++
}

// Generation changes whenever bytes that were encoded before may mean something
// else: a caller that remembers an encoded block, made of indexed fields only
// (see [IndexedPrefix]), may send it again as long as the generation is the
// same.
func (e *Encoder) Generation() uint64 { return e.generation }

// Begin appends what must come first in a block: the changes of the table's
// size since the last one, if there were any (RFC 7541 §4.2).
func (e *Encoder) Begin(dst []byte) []byte {
	size := e.table.max
	if e.smallest < min(e.told, size) {
		dst = appendInteger(dst, 0x20, 5, e.smallest)
		e.told = e.smallest
	}
	if e.told != size {
		dst = appendInteger(dst, 0x20, 5, size)
	}
	e.told, e.smallest = size, size
	return dst
}

// AppendField appends one field to a block that Begin began. A sensitive field
// is marked as never to be indexed by anyone (RFC 7541 §7.1.3), whatever ix
// says. The field's strings are not kept.
func (e *Encoder) AppendField(dst []byte, f Field, ix Indexing) []byte {
	nameHash := hashString(0, f.Name)
	nameIndex, exact := findStatic(nameHash, f.Name, f.Value)
	if f.Sensitive {
		return e.appendLiteral(dst, 0x10, 4, e.findName(nameIndex, nameHash, f.Name), f)
	}
	if exact {
		return appendInteger(dst, 0x80, 7, uint32(nameIndex))
	}
	if ix == IndexNever {
		return e.appendLiteral(dst, 0, 4, e.findName(nameIndex, nameHash, f.Name), f)
	}
	fieldHash := hashString(nameHash, f.Value)
	if number, ok := e.findField(fieldHash, f.Name, f.Value); ok {
		return appendInteger(dst, 0x80, 7, e.indexOf(number))
	}
	named := e.findName(nameIndex, nameHash, f.Name)
	if !e.worthIndexing(f, ix, named != 0, nameHash, fieldHash) {
		return e.appendLiteral(dst, 0, 4, named, f)
	}
	dst = e.appendLiteral(dst, 0x40, 6, named, f)
	e.insert(nameIndex, nameHash, fieldHash, f)
	return dst
}

// worthIndexing tells whether a field that is in no table shall enter it.
func (e *Encoder) worthIndexing(f Field, ix Indexing, named bool, nameHash, fieldHash uint64) bool {
	size := len(f.Name) + len(f.Value) + FieldOverhead
	if ix == IndexAlways {
		return size <= int(e.table.max)
	}
	// One field must not push out most of the others.
	if size > int(e.table.max)/2 {
		return false
	}
	if e.seen == nil {
		e.seen = new(recentSet)
	}
	if !named && size <= int(e.table.max)/16 && e.seen.testAndAdd(nameHash) {
		// The name comes back, whatever the value does: one entry pays for itself
		// by being named.
		return true
	}
	return e.seen.testAndAdd(fieldHash)
}

// findName returns the index of a field with that name, or 0; static is one in
// the static table, or 0.
func (e *Encoder) findName(static int, hash uint64, name string) uint32 {
	if static != 0 {
		return uint32(static)
	}
	if e.index == nil {
		for i := range e.table.count {
			if e.table.at(i).name == name {
				return staticCount + 1 + uint32(i)
			}
		}
		return 0
	}
	for n := e.index.names[hash%indexPlaces]; e.table.holds(n); {
		at := n & uint64(len(e.table.ring)-1)
		if e.table.ring[at].name == name {
			return e.indexOf(n)
		}
		n = e.index.links[at].name
	}
	return 0
}

// findField returns the number of the table's entry that equals the field.
func (e *Encoder) findField(hash uint64, name, value string) (number uint64, ok bool) {
	if e.index == nil {
		for i := range e.table.count {
			if f := e.table.at(i); f.value == value && f.name == name {
				return e.table.inserted - 1 - uint64(i), true
			}
		}
		return 0, false
	}
	for n := e.index.fields[hash%indexPlaces]; e.table.holds(n); {
		at := n & uint64(len(e.table.ring)-1)
		if f := &e.table.ring[at]; f.value == value && f.name == name {
			return n, true
		}
		n = e.index.links[at].field
	}
	return 0, false
}

// indexOf returns the index on the wire of an entry.
func (e *Encoder) indexOf(number uint64) uint32 {
	return uint32(e.table.inserted-1-number) + staticCount + 1
}

func (e *Encoder) insert(static int, nameHash, fieldHash uint64, f Field) {
	// The caller's strings may be parts of much larger ones.
	name := staticTable[static].Name
	if static == 0 {
		name = strings.Clone(f.Name)
	}
	e.table.insert(name, strings.Clone(f.Value))
	e.generation++
	switch {
	case e.index != nil:
		e.index.add(&e.table, nameHash, fieldHash)
	case e.table.count > unindexed:
		e.index = newTableIndex(&e.table)
	}
}

// appendLiteral appends a literal field with the given first bits and number of
// prefix bits; named is the index of its name, or 0 (RFC 7541 §6.2).
func (e *Encoder) appendLiteral(dst []byte, first byte, prefix uint, named uint32, f Field) []byte {
	dst = appendInteger(dst, first, prefix, named)
	if named == 0 {
		dst = appendString(dst, f.Name)
	}
	return appendString(dst, f.Value)
}

// tableIndex finds entries of an encoder's table by hash. Each place has the
// number of the newest entry that belongs there, and each entry that of the one
// before it; a number that the table no longer holds ends the chain, so nothing
// has to be removed.
type tableIndex struct {
	names, fields [indexPlaces]uint64
	// links runs parallel to the table's ring.
	links []link
}

type link struct{ name, field uint64 }

const indexPlaces = 16

// noEntry is a number that no table holds.
const noEntry = 1<<64 - 1

// unindexed is how many entries a table has at most that has no index.
const unindexed = 8

// newTableIndex returns the index of a table.
func newTableIndex(t *dynamicTable) *tableIndex {
	x := &tableIndex{links: make([]link, len(t.ring))}
	for i := range indexPlaces {
		x.names[i], x.fields[i] = noEntry, noEntry
	}
	for i := t.count - 1; i >= 0; i-- {
		f := t.at(i)
		nameHash := hashString(0, f.name)
		x.put(t.inserted-1-uint64(i), nameHash, hashString(nameHash, f.value))
	}
	return x
}

// add adds the newest entry.
func (x *tableIndex) add(t *dynamicTable, nameHash, fieldHash uint64) {
	if len(x.links) != len(t.ring) {
		links := make([]link, len(t.ring))
		for i := range t.count - 1 {
			n := t.inserted - 2 - uint64(i)
			links[n&uint64(len(links)-1)] = x.links[n&uint64(len(x.links)-1)]
		}
		x.links = links
	}
	x.put(t.inserted-1, nameHash, fieldHash)
}

// put adds an entry, for which there is a link.
func (x *tableIndex) put(number, nameHash, fieldHash uint64) {
	name, field := &x.names[nameHash%indexPlaces], &x.fields[fieldHash%indexPlaces]
	x.links[number&uint64(len(x.links)-1)] = link{name: *name, field: *field}
	*name, *field = number, number
}

// recentSet remembers some of the hashes that were added last.
type recentSet struct {
	sets [recentSets][recentWays]uint32
	turn uint8
}

const (
	recentSets = 16
	recentWays = 4
)

// testAndAdd tells whether the set holds the hash, and sees to it that it does.
func (r *recentSet) testAndAdd(hash uint64) bool {
	set := &r.sets[hash%recentSets]
	// The low bit is set so that no hash equals an empty place.
	mark := uint32(bits.RotateLeft64(hash, 32)) | 1
	for _, m := range set {
		if m == mark {
			return true
		}
	}
	set[r.turn%recentWays] = mark
	r.turn++
	return false
}
