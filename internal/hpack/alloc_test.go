package hpack

import "testing"

// TestAllocations would break if the path that every call takes began to
// allocate: nothing for what a table holds, one string for all that it does not.
func TestAllocations(t *testing.T) {
	lim := Limits{Bytes: 16 << 10, Fields: 128}
	for _, tt := range []struct {
		name           string
		fields         []benchField
		encode, decode float64
	}{
		{"request", benchRequest, 0, 0},
		{"request with a timeout", benchDeadline, 0, 1},
		{"request with metadata", benchMetadata, 0, 1},
		{"response", benchResponse, 0, 0},
		{"trailer", benchTrailer, 0, 0},
	} {
		e, d := NewEncoder(), NewDecoder(DefaultTableSize)
		var block []byte
		for range 3 {
			block = e.appendAll(block[:0], tt.fields)
			if _, err := d.Decode(nil, block, lim); err != nil {
				t.Fatal(err)
			}
		}
		block = e.appendAll(block[:0], tt.fields)
		dst := make([]byte, 0, 2*len(block)+512)
		if got := testing.AllocsPerRun(100, func() { e.appendAll(dst, tt.fields) }); got > tt.encode {
			t.Errorf("encoding a %s again allocates %v times, want %v", tt.name, got, tt.encode)
		}
		fields := make([]Field, 0, 32)
		if got := testing.AllocsPerRun(100, func() { d.Decode(fields, block, lim) }); got > tt.decode {
			t.Errorf("decoding a %s again allocates %v times, want %v", tt.name, got, tt.decode)
		}
	}
}

// TestIdleMemory would break if a connection that sends and receives little paid
// for full tables.
func TestIdleMemory(t *testing.T) {
	const connections = 100
	kept := make([]any, 0, 2*connections)
	grown := heapGrowth(func() {
		for range connections {
			e, d := NewEncoder(), NewDecoder(DefaultTableSize)
			block := e.appendAll(make([]byte, 0, 512), benchRequest)
			if _, err := d.Decode(make([]Field, 0, 8), block, roomy); err != nil {
				t.Fatal(err)
			}
			kept = append(kept, e, d)
		}
	})
	if perConnection := grown / connections; perConnection > 4<<10 {
		t.Errorf("an encoder and a decoder after one request took %d bytes", perConnection)
	}
}
