package hpack

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// seq builds blocks piece by piece.
func seq(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func plain(s string) []byte { return append(appendInteger(nil, 0, 7, uint32(len(s))), s...) }

func coded(s string) []byte {
	c := appendHuffman(nil, s)
	return append(appendInteger(nil, 0x80, 7, uint32(len(c))), c...)
}

// insertField is a literal with indexing, by a literal name.
func insertField(name, value string) []byte { return seq([]byte{0x40}, plain(name), plain(value)) }

func update(size uint32) []byte { return appendInteger(nil, 0x20, 5, size) }

// TestDecodeErrors would break if a malformed block were taken for a good one.
func TestDecodeErrors(t *testing.T) {
	longest := []byte{0xff, 0x80, 0x80, 0x80, 0x80}
	for _, tt := range []struct {
		name   string
		block  []byte
		text   string
		offset int
	}{
		{"index zero", []byte{0x82, 0x80}, textIndexZero, 1},
		{"index past the static table", []byte{0xbe}, textIndexUnknown, 0},
		{"long index past the table", appendInteger(nil, 0x80, 7, 1<<32-1), textIndexUnknown, 0},
		{"name index past the table", []byte{0x7e, 0x00}, textIndexUnknown, 0},
		{"never indexed, name past the table", []byte{0x1f, 0x2f, 0x00}, textIndexUnknown, 0},
		{"integer without its end", []byte{0x82, 0xff}, textTruncated, 1},
		{"integer without its end, later", []byte{0xff, 0x80, 0x80}, textTruncated, 0},
		{"integer with zeros", seq(longest, []byte{0x80, 0x00}), textInteger, 0},
		{"integer of 33 bits", []byte{0xff, 0x81, 0xff, 0xff, 0xff, 0x0f}, textInteger, 0},
		{"no name", []byte{0x40}, textTruncated, 0},
		{"no value", []byte{0x41}, textTruncated, 0},
		{"no value after a name", seq([]byte{0x00}, plain("x")), textTruncated, 0},
		{"name shorter than it says", []byte{0x00, 0x03, 'a', 'b'}, textTruncated, 0},
		{"value shorter than it says", []byte{0x01, 0x7f, 0x80, 0x80, 0x40, 'a'}, textTruncated, 0},
		{"value of 4 GiB", seq([]byte{0x01}, appendInteger(nil, 0, 7, 1<<32-1)), textTruncated, 0},
		{"value length too long", seq([]byte{0x01}, appendInteger(nil, 0, 7, 1<<32-1)[:5], []byte{0xff, 0x7f}), textInteger, 0},
		{"EOS", []byte{0x01, 0x84, 0xff, 0xff, 0xff, 0xff}, textHuffman, 0},
		{"EOS after a symbol", []byte{0x01, 0x85, 0x07, 0xff, 0xff, 0xff, 0xff}, textHuffman, 0},
		{"padding of 8 bits", []byte{0x01, 0x82, 0xf8, 0xff}, textHuffman, 0},
		{"nothing but padding", []byte{0x01, 0x81, 0xff}, textHuffman, 0},
		{"padding of zeros", []byte{0x01, 0x81, 0x00}, textHuffman, 0},
		{"end inside a code", []byte{0x01, 0x82, 0xff, 0xc0}, textHuffman, 0},
		{"bad Huffman name", []byte{0x00, 0x81, 0x00, 0x00}, textHuffman, 0},
		{"late update", seq([]byte{0x82}, update(0)), textUpdateLate, 1},
		{"third update", seq(update(0), update(1), update(2)), textUpdateMany, 2},
		{"update above what is advertised", update(DefaultTableSize + 1), textUpdateLarge, 0},
		{"unfinished update", []byte{0x3f}, textTruncated, 0},
		{"entry gone with the table's size", seq(update(0), []byte{0xbe}), textIndexUnknown, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, lim := range []Limits{roomy, {}} {
				d := NewDecoder(DefaultTableSize)
				generation := d.Generation()
				fields, err := d.Decode(nil, tt.block, lim)
				var e *Error
				if !errors.As(err, &e) || e.Text != tt.text || e.Offset != tt.offset {
					t.Fatalf("limits %v: %q, %v; want %q at %d", lim, pairs(fields), err, tt.text, tt.offset)
				}
				if len(fields) != 0 && lim == (Limits{}) {
					t.Errorf("fields past the limits: %q", pairs(fields))
				}
				// What the table holds is unknown now: nothing may be decoded with it.
				if _, again := d.Decode(nil, []byte{0x82}, lim); again != err {
					t.Errorf("a block after the error: %v", again)
				}
				if d.Generation() == generation {
					t.Error("the generation is what it was before the error")
				}
			}
		})
	}
}

// TestDecodeLargestInteger would break if the bound on integers refused one of
// 32 bits, or the bytes that RFC 7541 §5.1 allows it.
func TestDecodeLargestInteger(t *testing.T) {
	for _, wire := range [][]byte{
		{0x3f, 0xe0, 0xff, 0xff, 0xff, 0x0f}, // 2^32-1
		{0x3f, 0xe1, 0x9f, 0x80, 0x80, 0x00}, // 4096, with zeros
	} {
		if _, err := NewDecoder(1<<32-1).Decode(nil, wire, roomy); err != nil {
			t.Errorf("%x: %v", wire, err)
		}
	}
}

func TestErrorText(t *testing.T) {
	_, err := NewDecoder(0).Decode(nil, []byte{0x80}, roomy)
	want := "hpack: index 0 is not a field (RFC 7541 §6.1), in the representation at byte 0 of the header block; the connection must be closed"
	if err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

// TestLimits would break if a limit were not kept to the byte and to the field,
// or if a block past it left the table unlike the peer's.
func TestLimits(t *testing.T) {
	big := strings.Repeat("v", 1000)
	block := seq(
		[]byte{0x82},          // :method: GET, 7+3+32 = 42
		insertField("a", "1"), // 34, enters the table
		seq([]byte{0x00}, coded("b"), coded("22")),     // 35
		insertField("big", big),                        // 1035, enters the table
		[]byte{0xbf},                                   // a: 1, 34
		seq([]byte{0x10}, plain("secret"), plain("s")), // 39
	)
	all := []Field{
		{Name: ":method", Value: "GET"},
		{Name: "a", Value: "1"},
		{Name: "b", Value: "22"},
		{Name: "big", Value: big},
		{Name: "a", Value: "1"},
		{Name: "secret", Value: "s", Sensitive: true},
	}
	const total = 42 + 34 + 35 + 1035 + 34 + 39
	for _, tt := range []struct {
		lim  Limits
		kept int
	}{
		{Limits{Bytes: total, Fields: 6}, 6},
		{Limits{Bytes: total - 1, Fields: 6}, 5},
		{Limits{Bytes: total, Fields: 5}, 5},
		{Limits{Bytes: 42 + 34 + 35 + 1035, Fields: 6}, 4},
		{Limits{Bytes: 42 + 34 + 35 + 1034, Fields: 6}, 3},
		{Limits{Bytes: 42 + 34 + 34, Fields: 6}, 2},
		{Limits{Bytes: 42 + 34, Fields: 6}, 2},
		{Limits{Bytes: 42 + 33, Fields: 6}, 1},
		{Limits{Bytes: total, Fields: 3}, 3},
		{Limits{Bytes: total, Fields: 2}, 2},
		{Limits{Bytes: total, Fields: 1}, 1},
		{Limits{Bytes: 41, Fields: 6}, 0},
		{Limits{Bytes: total}, 0},
		{Limits{Fields: 6}, 0},
		{Limits{}, 0},
		{Limits{Bytes: -1, Fields: -1}, 0},
	} {
		d := NewDecoder(DefaultTableSize)
		before := Field{Name: "before", Value: "x"}
		got, err := d.Decode([]Field{before}, block, tt.lim)
		want := append([]Field{before}, all[:tt.kept]...)
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %q, want %q", tt.lim, pairs(got), pairs(want))
		}
		if wantErr := tt.kept < len(all); wantErr != (err == ErrTooLarge) || err != nil && err != ErrTooLarge {
			t.Errorf("%+v: %v", tt.lim, err)
		}
		checkTable(t, &d.table, []Field{all[3], all[1]}, 1035+34)
		// The next stream is not concerned.
		got, err = d.Decode(nil, []byte{0xbe, 0xbf}, roomy)
		if err != nil || !slices.Equal(got, []Field{all[3], all[1]}) {
			t.Errorf("%+v: the next block: %q, %v", tt.lim, pairs(got), err)
		}
	}
}

// TestLimitsSpareValidBlocks would break if the bound on a Huffman-coded string
// were taken for its length: rare symbols hold far less than it.
func TestLimitsSpareValidBlocks(t *testing.T) {
	value := strings.Repeat("\n", 100) // 375 bytes coded, 600 at most
	block := seq([]byte{0x40}, coded("name"), coded(value))
	d := NewDecoder(136)
	for _, lim := range []Limits{roomy, {Bytes: 136, Fields: 1}} {
		got, err := d.Decode(nil, block, lim)
		if err != nil || len(got) != 1 || got[0].Value != value {
			t.Errorf("%q, %v", pairs(got), err)
		}
		checkTable(t, &d.table, []Field{{Name: "name", Value: value}}, 136)
	}
	if _, err := d.Decode(nil, block, Limits{Bytes: 135, Fields: 1}); err != ErrTooLarge {
		t.Errorf("one byte less: %v", err)
	}
}

// TestEntryLargerThanTable is RFC 7541 §4.4.
func TestEntryLargerThanTable(t *testing.T) {
	for _, lim := range []Limits{roomy, {}} {
		d := NewDecoder(100)
		value := strings.Repeat("v", 68)
		block := seq(insertField("a", "1"), insertField("", value), []byte{0xbe}) // 100: fits alone
		if _, err := d.Decode(nil, block, lim); err != nil && err != ErrTooLarge {
			t.Fatal(err)
		}
		checkTable(t, &d.table, []Field{{Value: value}}, 100)
		if _, err := d.Decode(nil, insertField("b", value), lim); err != nil && err != ErrTooLarge {
			t.Fatal(err)
		}
		checkTable(t, &d.table, nil, 0)
	}
}

// TestNameOfEvictedEntry would break if an insertion that evicts the entry whose
// name it uses lost that name (RFC 7541 §4.4).
func TestNameOfEvictedEntry(t *testing.T) {
	d := NewDecoder(60)
	got, err := d.Decode(nil, seq(insertField("name", "value"), []byte{0x7e}, plain("other")), roomy)
	if err != nil || got[1] != (Field{Name: "name", Value: "other"}) {
		t.Fatalf("%q, %v", pairs(got), err)
	}
	checkTable(t, &d.table, []Field{{Name: "name", Value: "other"}}, 41)
}

// TestTableSizeUpdates would break if an update were applied late, or not at all.
func TestTableSizeUpdates(t *testing.T) {
	d := NewDecoder(DefaultTableSize)
	decode := func(block []byte, wantTable []Field, size uint32) {
		t.Helper()
		if _, err := d.Decode(nil, block, roomy); err != nil {
			t.Fatal(err)
		}
		checkTable(t, &d.table, wantTable, size)
	}
	a, b := Field{Name: "a", Value: "1"}, Field{Name: "b", Value: "2"}
	decode(seq(insertField("a", "1"), insertField("b", "2")), []Field{b, a}, 68)
	decode(update(68), []Field{b, a}, 68)
	decode(update(67), []Field{b}, 34)
	decode(insertField("a", "1"), []Field{a}, 34)
	decode(seq(update(0), update(DefaultTableSize)), nil, 0)
	decode(seq(insertField("a", "1"), insertField("b", "2")), []Field{b, a}, 68)
}

// TestSetMaxTable would break if a peer could keep a table that it was told to
// give up (RFC 7541 §4.2).
func TestSetMaxTable(t *testing.T) {
	d := NewDecoder(DefaultTableSize)
	if _, err := d.Decode(nil, insertField("a", "1"), roomy); err != nil {
		t.Fatal(err)
	}
	generation := d.Generation()
	d.SetMaxTable(100)
	if d.Generation() == generation {
		t.Error("the generation is what it was: a remembered block would hide that the update is missing")
	}
	if _, err := d.Decode(nil, seq(update(100), []byte{0xbe}), roomy); err != nil {
		t.Error(err)
	}
	if _, err := d.Decode(nil, []byte{0xbe}, roomy); err != nil {
		t.Error(err)
	}
	d.SetMaxTable(50)
	if _, err := d.Decode(nil, nil, roomy); err != nil {
		t.Error(err)
	}
	var e *Error
	if _, err := d.Decode(nil, []byte{0xbe}, roomy); !errors.As(err, &e) || e.Text != textUpdateMissing {
		t.Errorf("without the update: %v", err)
	}

	d = NewDecoder(DefaultTableSize)
	d.SetMaxTable(100)
	if _, err := d.Decode(nil, update(101), roomy); !errors.As(err, &e) || e.Text != textUpdateLarge {
		t.Errorf("an update above the new size: %v", err)
	}
	d = NewDecoder(DefaultTableSize)
	d.SetMaxTable(100)
	d.SetMaxTable(8192)
	if _, err := d.Decode(nil, seq(update(8192), []byte{0x82}), roomy); err != nil {
		t.Error(err)
	}
}

// TestDecoderGeneration would break if a caller that remembers blocks could not
// tell that one means something else now, or had to forget them needlessly.
func TestDecoderGeneration(t *testing.T) {
	for _, tt := range []struct {
		name    string
		block   []byte
		changes bool
	}{
		{"empty", nil, false},
		{"indexed", []byte{0x82, 0xbe}, false},
		{"literals", seq([]byte{0x01}, plain("x"), []byte{0x10}, plain("n"), plain("v")), false},
		{"insertion", insertField("a", "1"), true},
		{"insertion that does not fit", insertField("a", strings.Repeat("v", 5000)), true},
		{"update", update(0), true},
		{"update to the same size", update(DefaultTableSize), false},
	} {
		d := NewDecoder(DefaultTableSize)
		if _, err := d.Decode(nil, insertField("n", "v"), roomy); err != nil {
			t.Fatal(err)
		}
		before := d.Generation()
		if _, err := d.Decode(nil, tt.block, roomy); err != nil {
			t.Fatal(err)
		}
		if changed := d.Generation() != before; changed != tt.changes {
			t.Errorf("%s: generation changed: %v", tt.name, changed)
		}
	}
}

func TestIndexedPrefix(t *testing.T) {
	for _, tt := range []struct {
		block []byte
		want  int
	}{
		{nil, 0},
		{[]byte{0x82, 0xbe}, 2},
		{[]byte{0x82, 0xbe, 0x01, 0x00}, 2},
		{[]byte{0x82, 0x80, 0x82}, 1},
		{[]byte{0x20, 0x82}, 0},
		{[]byte{0x82, 0xff, 0x00, 0x83}, 4},
		{[]byte{0xff, 0x80, 0x01}, 3},
		{[]byte{0x82, 0xff}, 1},
		{[]byte{0x82, 0xff, 0x80, 0x80}, 1},
		{[]byte{0x82, 0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, 1},
	} {
		if got := IndexedPrefix(tt.block); got != tt.want {
			t.Errorf("IndexedPrefix(%x) = %d, want %d", tt.block, got, tt.want)
		}
	}
}

// heapGrowth returns how many bytes f allocates in all, freed or not.
func heapGrowth(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestBombs would break if a few bytes on the wire could make us store many
// (CVE-2016-6581, CVE-2026-49975).
func TestBombs(t *testing.T) {
	lim := Limits{Bytes: 16 << 10, Fields: 128}
	setup := insertField("n", strings.Repeat("v", 4000))
	rare := appendHuffman(nil, strings.Repeat("\n", 100_000))
	for _, tt := range []struct {
		name  string
		block []byte
		lim   Limits
		kept  int
		bytes uint64 // allocated at most
	}{
		{"small fields", bytes.Repeat([]byte{0x90}, 400_000), lim, 128, 24 << 10},
		{"large fields", bytes.Repeat([]byte{0xbe}, 400_000), lim, 4, 2 << 10},
		{"only bytes limited", bytes.Repeat([]byte{0x90}, 400_000), Limits{Bytes: 16 << 10, Fields: 1 << 20}, 273, 64 << 10},
		{"only fields limited", bytes.Repeat([]byte{0xbe}, 400_000), Limits{Bytes: 1 << 30, Fields: 128}, 128, 24 << 10},
		{"empty literals", bytes.Repeat([]byte{0x01, 0x00}, 200_000), lim, 128, 24 << 10},
		{"large string", seq([]byte{0x01}, plain(strings.Repeat("v", 400_000))), lim, 0, 1 << 10},
		{"large string to be indexed", seq([]byte{0x41}, plain(strings.Repeat("v", 400_000))), lim, 0, 1 << 10},
		{"large name to be indexed", seq([]byte{0x40}, plain(strings.Repeat("v", 400_000)), plain("")), lim, 0, 1 << 10},
		{"large coded string", seq([]byte{0x01}, coded(strings.Repeat("a", 400_000))), lim, 0, 1 << 10},
		{"large coded string of rare symbols", seq([]byte{0x01}, appendInteger(nil, 0x80, 7, uint32(len(rare))), rare), lim, 0, 1 << 10},
		{"strings after the limit", bytes.Repeat(seq([]byte{0x01}, plain(strings.Repeat("v", 1000))), 400), lim, 15, 96 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := NewDecoder(DefaultTableSize)
			if _, err := d.Decode(nil, setup, roomy); err != nil {
				t.Fatal(err)
			}
			var got []Field
			var err error
			// The least of three: the runtime allocates now and then, too.
			grown := uint64(math.MaxUint64)
			for range 3 {
				grown = min(grown, heapGrowth(func() { got, err = d.Decode(nil, tt.block, tt.lim) }))
			}
			if err != ErrTooLarge || len(got) != tt.kept {
				t.Errorf("%d fields, %v; want %d, ErrTooLarge", len(got), err, tt.kept)
			}
			if grown > tt.bytes {
				t.Errorf("allocated %d bytes for a block of %d; at most %d are due", grown, len(tt.block), tt.bytes)
			}
		})
	}
}

// TestRetainedMemory would break if fields, or the table, kept more memory alive
// than four times what they count for.
func TestRetainedMemory(t *testing.T) {
	retained := func(f func() any) uint64 {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		kept := f()
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(kept)
		return max(after.HeapAlloc, before.HeapAlloc) - before.HeapAlloc
	}
	const streams = 200

	// A field with the name of a large entry that has left the table since.
	d := NewDecoder(DefaultTableSize)
	grown := retained(func() any {
		var kept [][]Field
		for range streams {
			block := insertField("n", strings.Repeat("v", 4000))
			if _, err := d.Decode(nil, block, roomy); err != nil {
				t.Fatal(err)
			}
			fields, err := d.Decode(nil, seq([]byte{0x0f, 0x2f}, plain("")), roomy)
			if err != nil {
				t.Fatal(err)
			}
			kept = append(kept, fields)
		}
		return kept
	})
	if limit := uint64(streams*4*(1+FieldOverhead) + 3*DefaultTableSize); grown > limit {
		t.Errorf("%d fields named by evicted entries keep %d bytes, at most %d are due", streams, grown, limit)
	}

	// An entry out of a block with much else in it, and one named by another.
	grown = retained(func() any {
		var decoders []*Decoder
		for range streams {
			d := NewDecoder(DefaultTableSize)
			block := seq([]byte{0x00}, plain("n"), plain(strings.Repeat("v", 8000)),
				insertField("m", strings.Repeat("v", 4000)), []byte{0x7e}, plain("1"), insertField("x", "y"))
			if _, err := d.Decode(nil, block, roomy); err != nil {
				t.Fatal(err)
			}
			checkTable(t, &d.table, []Field{{Name: "x", Value: "y"}, {Name: "m", Value: "1"}}, 68)
			decoders = append(decoders, d)
		}
		return decoders
	})
	if limit := uint64(streams * 1200); grown > limit {
		t.Errorf("%d tables of 68 bytes keep %d bytes, at most %d are due", streams, grown, limit)
	}
}

// TestDecodeTimeIsLinear would break if the work on a byte grew with the block
// (CVE-2022-41723): 64 times the bytes may take 512 times as long, where
// quadratic work would take 4096 times.
func TestDecodeTimeIsLinear(t *testing.T) {
	fastest := func(block []byte) time.Duration {
		best := time.Hour
		for range 3 {
			d := NewDecoder(DefaultTableSize)
			start := time.Now()
			if _, err := d.Decode(nil, block, Limits{Bytes: 1 << 30, Fields: 1 << 30}); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	for _, tt := range []struct {
		name  string
		block func(n int) []byte
	}{
		{"one coded string", func(n int) []byte { return seq([]byte{0x41}, coded(strings.Repeat("a", n))) }},
		{"one coded string of rare symbols", func(n int) []byte { return seq([]byte{0x41}, coded(strings.Repeat("\n", n))) }},
		{"one plain string", func(n int) []byte { return seq([]byte{0x01}, plain(strings.Repeat("a", n))) }},
		{"many literals", func(n int) []byte { return bytes.Repeat([]byte{0x01, 0x01, 'x'}, n/3) }},
		{"many entries", func(n int) []byte { return bytes.Repeat([]byte{0x41, 0x01, 'x'}, n/3) }},
		{"many large entries", func(n int) []byte {
			return bytes.Repeat(seq([]byte{0x41}, plain(strings.Repeat("v", 2000))), n/2000)
		}},
	} {
		small, large := fastest(tt.block(1<<13)), fastest(tt.block(1<<19))
		if large > 512*max(small, time.Microsecond) {
			t.Errorf("%s: %v for 8 KiB, but %v for 512 KiB", tt.name, small, large)
		}
	}
}
