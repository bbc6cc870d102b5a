package http2

import "iter"

// streamTable finds the streams of a connection by their ids: a hash table with
// open addressing, because every frame needs it and every call puts a stream in
// and takes it out. The zero value is empty.
type streamTable struct {
	slots []*stream // a power of two, at most half of them used
	n     int
}

// leastSlots is the size of a table that has had a stream.
const leastSlots = 8

// home is where a stream belongs. It scatters ids, which follow each other: a run
// of slots without a gap would have to be looked through whenever one leaves it.
func (t *streamTable) home(id uint32) int {
	return int(uint64(id)*11400714819323198485>>32) & (len(t.slots) - 1) // Fibonacci hashing
}

func (t *streamTable) len() int { return t.n }

// get returns nil if there is none.
func (t *streamTable) get(id uint32) *stream {
	if t.n == 0 {
		return nil
	}
	for i := t.home(id); ; i = (i + 1) & (len(t.slots) - 1) {
		if st := t.slots[i]; st == nil || st.id == id {
			return st
		}
	}
}

// put adds a stream whose id is not in the table.
func (t *streamTable) put(st *stream) {
	if 2*(t.n+1) > len(t.slots) {
		t.resize(max(leastSlots, 2*len(t.slots)))
	}
	t.n++
	t.place(st)
}

func (t *streamTable) place(st *stream) {
	i := t.home(st.id)
	for t.slots[i] != nil {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = st
}

// remove takes a stream out, and reports whether it was in.
func (t *streamTable) remove(st *stream) bool {
	if t.get(st.id) != st {
		return false
	}
	mask := len(t.slots) - 1
	hole := t.home(st.id)
	for t.slots[hole] != st {
		hole = (hole + 1) & mask
	}
	// Whoever was displaced by it, and by those behind it, moves up.
	for i := (hole + 1) & mask; t.slots[i] != nil; i = (i + 1) & mask {
		if home := t.home(t.slots[i].id); (i-home)&mask >= (i-hole)&mask {
			t.slots[hole] = t.slots[i]
			hole = i
		}
	}
	t.slots[hole] = nil
	t.n--
	if t.n == 0 && len(t.slots) > keptSlots {
		t.slots = nil
	}
	return true
}

// keptSlots is how large a table may be that is empty.
const keptSlots = 256

func (t *streamTable) resize(size int) {
	old := t.slots
	t.slots = make([]*stream, size)
	for _, st := range old {
		if st != nil {
			t.place(st)
		}
	}
}

// all yields the streams. They may be removed meanwhile.
func (t *streamTable) all() iter.Seq[*stream] {
	return func(yield func(*stream) bool) {
		list := make([]*stream, 0, t.n)
		for _, st := range t.slots {
			if st != nil {
				list = append(list, st)
			}
		}
		for _, st := range list {
			if !yield(st) {
				return
			}
		}
	}
}
