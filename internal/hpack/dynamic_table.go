package hpack

// dynamicTable is the table of recent fields, newest first (RFC 7541 §2.3.2),
// as a ring.
//
// An entry's strings belong to it alone, or are shared with entries whose size
// counts them too, so that the memory it holds is bounded by its size.
type dynamicTable struct {
	// ring has a power of two of places, and grows with what the peer uses:
	// most connections need less than a dozen.
	ring []entry
	// inserted numbers the entries: the newest is inserted-1, and lives in the
	// ring at its number modulo the ring's length.
	inserted uint64
	count    int
	// size and max are in bytes as §4.1 counts them.
	size, max uint32
}

type entry struct {
	name, value string
}

// minRing is the first size of a ring, in entries.
const minRing = 4

func entrySize(name, value string) uint32 {
	return uint32(len(name) + len(value) + FieldOverhead)
}

// at returns the entry with the dynamic index i, where 0 is the newest.
func (t *dynamicTable) at(i int) *entry {
	return &t.ring[(t.inserted-1-uint64(i))&uint64(len(t.ring)-1)]
}

// holds tells whether the entry of that number has not been evicted.
func (t *dynamicTable) holds(number uint64) bool {
	return t.inserted-number <= uint64(t.count)
}

// insert adds an entry, which must fit: entrySize <= max.
func (t *dynamicTable) insert(name, value string) {
	size := entrySize(name, value)
	t.shrink(t.max - size)
	if t.count == len(t.ring) {
		t.grow()
	}
	t.ring[t.inserted&uint64(len(t.ring)-1)] = entry{name: name, value: value}
	t.inserted++
	t.count++
	t.size += size
}

// shrink evicts entries, oldest first, until those left take at most limit
// bytes (RFC 7541 §4.3).
func (t *dynamicTable) shrink(limit uint32) {
	for t.size > limit {
		oldest := t.at(t.count - 1)
		t.size -= entrySize(oldest.name, oldest.value)
		*oldest = entry{}
		t.count--
	}
}

func (t *dynamicTable) grow() {
	ring := make([]entry, max(minRing, 2*len(t.ring)))
	for i := range t.count {
		number := t.inserted - 1 - uint64(i)
		ring[number&uint64(len(ring)-1)] = *t.at(i)
	}
	t.ring = ring
}
