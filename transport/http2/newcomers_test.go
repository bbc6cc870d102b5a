package http2

import "testing"

// TestNewcomers would break if connections that say nothing were looked at for ever, or
// if those that speak were not, or not any more.
func TestNewcomers(t *testing.T) {
	const many, most = 100_000, 600
	var n newcomers
	looks := 0
	for range many {
		if n.worth() {
			looks++
			n.looked(false)
		}
	}
	if looks == 0 || looks > most {
		t.Errorf("%d of %d silent connections were looked at, want some, and %d at most", looks, many, most)
	}
	// One try finds out that they speak now, and it goes on.
	for !n.worth() {
	}
	for i := range many {
		if n.looked(true); !n.worth() {
			t.Fatalf("connection %d that speaks was not looked at", i)
		}
	}
}

// TestNotLookedAt would break if new connections were looked at although that is switched
// off, or although a peer may wait for the only processor.
func TestNotLookedAt(t *testing.T) {
	for _, tt := range []struct{ noSpin, single, want bool }{
		{false, false, true}, {true, false, false}, {false, true, false},
	} {
		c := &Conn{cfg: &Config{NoSpin: tt.noSpin}}
		if c.reader.processors = 2; tt.single {
			c.reader.processors = 1
		}
		if got := c.looksAtFirst(new(newcomers)); got != tt.want {
			t.Errorf("%+v: looks %t", tt, got)
		}
	}
}
