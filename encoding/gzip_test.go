package encoding

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func compressed(t testing.TB, src []byte) []byte {
	t.Helper()
	b, err := (&Gzip{}).Compress(nil, src)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGzipRoundTrip(t *testing.T) {
	random := make([]byte, 100_000)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	for _, level := range []int{0, 1, 9} {
		g := &Gzip{Level: level}
		for _, src := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("abc"), 100_000), random} {
			b, err := g.Compress([]byte("before"), src)
			if err != nil || !bytes.HasPrefix(b, []byte("before")) {
				t.Fatal(err)
			}
			// Go's own reader is the other implementation here.
			r, err := gzip.NewReader(bytes.NewReader(b[6:]))
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := io.ReadAll(r); err != nil || !bytes.Equal(plain, src) {
				t.Errorf("level %d: %d bytes read as %d, %v", level, len(src), len(plain), err)
			}
			out, err := g.Decompress([]byte("before"), b[6:], len(src))
			if err != nil || !bytes.Equal(out, append([]byte("before"), src...)) {
				t.Errorf("level %d: %d bytes came back as %d, %v", level, len(src), len(out)-6, err)
			}
		}
	}
	for _, level := range []int{-5, 10} {
		if b, err := (&Gzip{Level: level}).Compress([]byte("x"), nil); err == nil || string(b) != "x" {
			t.Errorf("level %d: %q, %v", level, b, err)
		}
	}
}

// R20: what comes out is bounded while it is read, at exactly the limit.
func TestGzipLimit(t *testing.T) {
	g := &Gzip{}
	src := compressed(t, make([]byte, 10_000))
	cases := []struct {
		limit int
		ok    bool
	}{
		{10_000, true},
		{10_001, true},
		{math.MaxInt, true},
		{9_999, false},
		{1, false},
		{0, false},
		{-1, false},
	}
	for _, c := range cases {
		out, err := g.Decompress([]byte("x"), src, c.limit)
		if c.ok && (err != nil || len(out) != 10_001) {
			t.Errorf("limit %d: %d bytes, %v", c.limit, len(out), err)
		}
		if !c.ok && (!errors.Is(err, ErrTooLarge) || string(out) != "x") {
			t.Errorf("limit %d: %d bytes, %v; want ErrTooLarge and nothing else", c.limit, len(out), err)
		}
	}
	if out, err := g.Decompress(nil, compressed(t, nil), 0); err != nil || len(out) != 0 {
		t.Errorf("an empty message at a limit of zero: %d bytes, %v", len(out), err)
	}
}

// R20: 8 MiB of zeros in 8 KB of input must cost the limit and no more.
func TestGzipBomb(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 8 {
		_, _ = w.Write(zeros)
	}
	_ = w.Close()
	const limit = 1 << 18
	g := &Gzip{}
	_, _ = g.Decompress(nil, compressed(t, zeros[:10]), limit) // makes the pooled state
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out, err := g.Decompress(nil, bomb.Bytes(), limit)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTooLarge) || out != nil {
		t.Fatalf("%d bytes, %v", len(out), err)
	}
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 4*limit {
		t.Errorf("refusing it allocated %d bytes, with a limit of %d", spent, limit)
	}
	if out, err := g.Decompress(nil, bomb.Bytes(), math.MaxInt); err != nil || len(out) != 8<<20 {
		t.Errorf("without a limit: %d bytes, %v; then this test tests nothing", len(out), err)
	}
}

func TestGzipMalformed(t *testing.T) {
	good := compressed(t, []byte("hello, hello, hello"))
	changed := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[(at+len(b))%len(b)] = to
		return b
	}
	cases := map[string][]byte{
		"empty":             nil,
		"no gzip":           []byte("hello, hello, hello"),
		"bad magic":         changed(0, 0),
		"bad method":        changed(2, 0),
		"bad checksum":      changed(-8, good[len(good)-8]+1),
		"bad size":          changed(-1, 9),
		"trailing byte":     append(bytes.Clone(good), 0),
		"a second member":   append(bytes.Clone(good), good...),
		"reserved block":    changed(10, 0x07),
		"header only":       good[:10],
		"endless name":      append([]byte{0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0}, strings.Repeat("n", 1<<20)...),
		"size claims 4 GiB": append(bytes.Clone(good[:len(good)-4]), 0xff, 0xff, 0xff, 0xff),
	}
	for i := range good {
		cases["cut at "+string(rune('A'+i))] = good[:i]
	}
	g := &Gzip{}
	for name, src := range cases {
		out, err := g.Decompress([]byte("x"), src, 1<<20)
		if err == nil || errors.Is(err, ErrTooLarge) || string(out) != "x" || errors.Is(err, io.EOF) {
			t.Errorf("%s: %q, %v; want an error that is not io.EOF", name, out, err)
		}
	}
	// The state is good again after each error.
	if out, err := g.Decompress(nil, good, 100); err != nil || string(out) != "hello, hello, hello" {
		t.Errorf("after errors: %q, %v", out, err)
	}
}

func TestGzipConcurrently(t *testing.T) {
	g := &Gzip{Level: 1}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			src := bytes.Repeat([]byte{byte(i)}, 1000*(i+1))
			for range 50 {
				b, err := g.Compress(nil, src)
				if err != nil {
					t.Error(err)
					return
				}
				if out, err := g.Decompress(nil, b, len(src)); err != nil || !bytes.Equal(out, src) {
					t.Errorf("%d bytes came back as %d, %v", len(src), len(out), err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzGzip(f *testing.F) {
	f.Add([]byte{}, 10)
	f.Add(compressed(f, []byte("hello")), 5)
	f.Add(compressed(f, make([]byte, 1000)), 999)
	g := &Gzip{}
	f.Fuzz(func(t *testing.T, src []byte, limit int) {
		limit %= 1 << 20
		out, err := g.Decompress(nil, src, limit)
		if err == nil && len(out) > max(limit, 0) {
			t.Errorf("%d bytes with a limit of %d", len(out), limit)
		}
		b, err := g.Compress(nil, src)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := g.Decompress(nil, b, len(src)); err != nil || !bytes.Equal(out, src) {
			t.Errorf("%d bytes came back as %d, %v", len(src), len(out), err)
		}
	})
}

func BenchmarkGzip(b *testing.B) {
	src := bytes.Repeat([]byte("some text that repeats, "), 800)
	g := &Gzip{}
	packed := compressed(b, src)
	b.Run("compress", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(src)))
		buf := make([]byte, 0, len(src))
		for b.Loop() {
			_, _ = g.Compress(buf, src)
		}
	})
	b.Run("decompress", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(src)))
		buf := make([]byte, 0, len(src)+1)
		for b.Loop() {
			_, _ = g.Decompress(buf, packed, len(src))
		}
	})
}
