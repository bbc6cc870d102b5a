package http2

import (
	"net"
	"testing"
)

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
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	nc, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	if newRawSocket(nc) == nil {
		t.Skip("there are no sockets to look at on this system")
	}
	for _, tt := range []struct {
		noSpin     bool
		processors int
		want       uint64
	}{{false, 2, 1}, {true, 2, 0}, {false, 1, 0}} {
		c := &Conn{cfg: &Config{NoSpin: tt.noSpin}, raw: newRawSocket(nc)}
		c.reader.processors = tt.processors
		var n newcomers
		if got, err := c.lookFirst(&n); got != 0 || err != nil {
			t.Errorf("%+v: read %d bytes, %v", tt, got, err)
		}
		if n.made != tt.want {
			t.Errorf("%+v: %d connections were looked at", tt, n.made)
		}
	}
}
