package http2

import (
	"math/rand/v2"
	"testing"
)

// TestStreamTable holds the table against a map through random histories.
func TestStreamTable(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var table streamTable
		want := map[uint32]*stream{}
		next := uint32(1)
		for range 2000 {
			switch rng.IntN(3) {
			case 0:
				st := &stream{id: next}
				next += 2 * (1 + rng.Uint32N(40))
				table.put(st)
				want[st.id] = st
			case 1:
				for id, st := range want {
					if !table.remove(st) || table.remove(st) {
						t.Fatalf("seed %d: remove of %d is wrong", seed, id)
					}
					delete(want, id)
					break
				}
			}
			if table.len() != len(want) {
				t.Fatalf("seed %d: %d streams, want %d", seed, table.len(), len(want))
			}
		}
		for id := uint32(1); id < next; id += 2 {
			if table.get(id) != want[id] {
				t.Fatalf("seed %d: stream %d is %v, want %v", seed, id, table.get(id), want[id])
			}
		}
		n := 0
		for st := range table.all() {
			n++
			table.remove(st)
		}
		if n != len(want) || table.len() != 0 {
			t.Fatalf("seed %d: all yields %d streams and leaves %d, want %d", seed, n, table.len(), len(want))
		}
	}
}
