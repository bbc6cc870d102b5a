package encoding

import (
	"encoding/binary"
	"runtime"
	"testing"
)

// R19, R20: a few bytes that announce gigabytes must not cost what they announce.
func TestGzipSizeThatLies(t *testing.T) {
	g := &Gzip{}
	lie := compressed(t, []byte("hello"))
	_, _ = g.Decompress(nil, lie, 100) // makes the pooled state
	binary.LittleEndian.PutUint32(lie[len(lie)-4:], 1<<32-1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := g.Decompress(nil, lie, 64<<20)
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Error("a wrong size was believed")
	}
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 256<<10 {
		t.Errorf("%d bytes that announce 4 GiB allocated %d", len(lie), spent)
	}
}
