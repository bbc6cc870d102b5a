package buffer

import "testing"

func TestGetHasRoom(t *testing.T) {
	for _, n := range []int{0, 1, 511, 512, 513, 1024, 1025, 65535, 65536, 1 << 20, 1<<20 + 1, 1 << 23, 1<<23 + 1} {
		b := Get(n)
		if len(b) != 0 || cap(b) < n {
			t.Errorf("Get(%d): len %d cap %d", n, len(b), cap(b))
		}
		Put(b)
	}
}

func TestPutDropsForeignSlices(t *testing.T) {
	Put(nil)
	Put(make([]byte, 700))
	Put(make([]byte, 1024)[1:])
	Put(make([]byte, 16<<20))
	if b := Get(700); cap(b)&(cap(b)-1) != 0 {
		t.Errorf("a foreign slice of capacity %d came back", cap(b))
	}
}

func TestGrowKeepsBytes(t *testing.T) {
	b := append(Get(1), "abc"...)
	g := Grow(b, 5000)
	if string(g) != "abc" || cap(g)-len(g) < 5000 {
		t.Fatalf("Grow: %q, room %d", g, cap(g)-len(g))
	}
	if same := Grow(g, 1); &same[0] != &g[0] {
		t.Error("Grow copied although there was room")
	}
}

func TestGetPutDoesNotAllocate(t *testing.T) {
	Put(Get(4096))
	if n := testing.AllocsPerRun(1000, func() { Put(Get(4096)) }); n > 0.1 {
		t.Errorf("%v allocations per Get and Put, want 0", n)
	}
}

func BenchmarkGetPut(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Put(Get(4096))
	}
}
