package http2

import (
	"strconv"
	"testing"
	"time"

	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/transport"
)

// FreeOf is how many cores of streams a connection keeps.
func FreeOf(conn transport.Conn) int {
	c := conn.(*Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.orders.free)
}

// TestMemosAreBounded would break if what a connection remembers grew with what
// its peer sends (CVE-2021-44716), or with the blocks that the program makes.
func TestMemosAreBounded(t *testing.T) {
	const entries, size = 64, 32 << 10
	remembered := func(n, each int) *seenBlocks {
		s := new(seenBlocks)
		for i := range n {
			prefix := []byte(strconv.Itoa(1000 + i))
			s.remember(prefix, &seenBlock{size: each - len(prefix)})
		}
		return s
	}
	if n := len(remembered(entries+30, 34).blocks); n == 0 || n > entries {
		t.Errorf("%d header blocks are remembered, want %d at most", n, entries)
	}
	if s := remembered(1000, 1000); len(s.blocks)*1000 > size || s.bytes != len(s.blocks)*1000 {
		t.Errorf("%d header blocks of 1000 bytes are remembered and counted as %d, want %d at most", len(s.blocks), s.bytes, size)
	}
	if s := remembered(1, size); len(s.blocks) != 1 {
		t.Error("a block that fits is not remembered")
	}
	if s := remembered(2, size+1); len(s.blocks) != 0 {
		t.Error("a block larger than all that may be remembered is")
	}

	var sent sentBlocks
	for range 1000 {
		b := new(transport.Block)
		if first := sent.find(b); first != sent.find(b) {
			t.Error("a block is not found again")
		}
	}
	if n := len(sent.blocks); n > 256 {
		t.Errorf("the encodings of %d blocks are remembered, want 256 at most", n)
	}
}

// TestOffendersPace would break if offenders together could make the pause of one
// of them so long that its keepalive gets no answer.
func TestOffendersPace(t *testing.T) {
	now := time.Now()
	o := newOffenders(h2.Limits{OffendersPerSecond: 1}.Resolve(h2.Server))
	for range 100 {
		if pause := o.pace(now); pause > 5*time.Second {
			t.Fatalf("a pause of %v, want 5 s at most", pause)
		}
	}
}

// TestSentBlocksAreRemembered would break if a block was forgotten when another one is
// sent, be it the first that was alone.
func TestSentBlocksAreRemembered(t *testing.T) {
	var s sentBlocks
	blocks := []*transport.Block{{Path: "/a"}, {Path: "/b"}, {Path: "/c"}}
	known := make([]*sentBlock, len(blocks))
	for i, b := range blocks {
		known[i] = s.find(b)
	}
	for i, b := range blocks {
		if s.find(b) != known[i] {
			t.Errorf("block %d has been forgotten", i)
		}
	}
}
