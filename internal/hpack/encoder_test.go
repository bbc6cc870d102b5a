package hpack

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// rig is an encoder with the decoder of its peer.
type rig struct {
	t *testing.T
	e *Encoder
	d *Decoder
}

func newRig(t *testing.T) *rig {
	return &rig{t: t, e: NewEncoder(), d: NewDecoder(DefaultTableSize)}
}

// send encodes one block, checks that it arrives, and returns it.
func (r *rig) send(ix Indexing, fields ...Field) []byte {
	r.t.Helper()
	block := r.e.Begin(nil)
	for _, f := range fields {
		block = r.e.AppendField(block, f, ix)
	}
	got, err := r.d.Decode(nil, block, roomy)
	if err != nil || !slices.Equal(got, fields) {
		r.t.Fatalf("sent %q, arrived %q, %v", pairs(fields), pairs(got), err)
	}
	r.checkTables()
	return block
}

func (r *rig) checkTables() {
	r.t.Helper()
	a, b := &r.e.table, &r.d.table
	if a.count != b.count || a.size != b.size || a.max != b.max {
		r.t.Fatalf("encoder's table: %d entries, %d of %d bytes; decoder's: %d entries, %d of %d bytes",
			a.count, a.size, a.max, b.count, b.size, b.max)
	}
	for i := range a.count {
		if *a.at(i) != *b.at(i) {
			r.t.Fatalf("entry %d: %q here, %q there", i, *a.at(i), *b.at(i))
		}
	}
}

// TestIndexing would break if a value that never comes back entered the table,
// or one that does come back did not.
func TestIndexing(t *testing.T) {
	path := Field{Name: ":path", Value: "/hello.Greeter/Say"}
	named := Field{Name: "x-name", Value: "one"}
	for _, tt := range []struct {
		name string
		send func(r *rig) []byte
		// first is the first byte of the last block, and table the number of entries.
		first byte
		table int
	}{
		{"always", func(r *rig) []byte { return r.send(IndexAlways, path) }, 0x44, 1},
		{"always, again", func(r *rig) []byte { r.send(IndexAlways, path); return r.send(IndexAlways, path) }, 0xbe, 1},
		{"never", func(r *rig) []byte { r.send(IndexNever, path); return r.send(IndexNever, path) }, 0x04, 0},
		{"never, new name", func(r *rig) []byte { r.send(IndexNever, named); return r.send(IndexNever, named) }, 0x00, 0},
		{"never, name in the table", func(r *rig) []byte {
			r.send(IndexAlways, Field{Name: "x-name", Value: "two"})
			return r.send(IndexNever, named)
		}, 0x0f, 1},
		{"never, in the static table", func(r *rig) []byte { return r.send(IndexNever, Field{Name: ":status", Value: "200"}) }, 0x88, 0},
		{"auto, once", func(r *rig) []byte { return r.send(IndexAuto, path) }, 0x04, 0},
		{"auto, twice", func(r *rig) []byte { r.send(IndexAuto, path); return r.send(IndexAuto, path) }, 0x44, 1},
		{"auto, three times", func(r *rig) []byte {
			r.send(IndexAuto, path)
			r.send(IndexAuto, path)
			return r.send(IndexAuto, path)
		}, 0xbe, 1},
		{"auto, in the table", func(r *rig) []byte { r.send(IndexAlways, path); return r.send(IndexAuto, path) }, 0xbe, 1},
		{"auto, new name once", func(r *rig) []byte { return r.send(IndexAuto, named) }, 0x00, 0},
		{"auto, new name twice, for the name's sake", func(r *rig) []byte {
			r.send(IndexAuto, named)
			return r.send(IndexAuto, Field{Name: "x-name", Value: "two"})
		}, 0x40, 1},
		{"auto, known name, new value", func(r *rig) []byte {
			r.send(IndexAlways, named)
			return r.send(IndexAuto, Field{Name: "x-name", Value: "two"})
		}, 0x0f, 1},
		{"auto, large value with a new name", func(r *rig) []byte {
			r.send(IndexAuto, Field{Name: "x-name", Value: strings.Repeat("1", 300)})
			return r.send(IndexAuto, Field{Name: "x-name", Value: strings.Repeat("2", 300)})
		}, 0x00, 0},
		{"auto, more than half the table", func(r *rig) []byte {
			f := Field{Name: ":path", Value: strings.Repeat("1", 2048)}
			r.send(IndexAuto, f)
			return r.send(IndexAuto, f)
		}, 0x04, 0},
		{"always, more than the table", func(r *rig) []byte {
			r.send(IndexAlways, named)
			return r.send(IndexAlways, Field{Name: ":path", Value: strings.Repeat("1", 4096)})
		}, 0x04, 1},
		{"sensitive", func(r *rig) []byte {
			f := Field{Name: "authorization", Value: "Bearer abc", Sensitive: true}
			r.send(IndexAlways, f)
			return r.send(IndexAlways, f)
		}, 0x1f, 0},
		{"sensitive, though in the table", func(r *rig) []byte {
			r.send(IndexAlways, named)
			return r.send(IndexAlways, Field{Name: named.Name, Value: named.Value, Sensitive: true})
		}, 0x1f, 1},
		{"sensitive, though in the static table", func(r *rig) []byte {
			return r.send(IndexAlways, Field{Name: ":path", Value: "/", Sensitive: true})
		}, 0x14, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			block := tt.send(r)
			if block[0] != tt.first || r.e.table.count != tt.table {
				t.Errorf("block %x with %d entries, want it to begin with %#x and %d entries",
					block, r.e.table.count, tt.first, tt.table)
			}
		})
	}
}

// TestAutoIndexesWhatComesBack would break if values that never come back could
// keep one that does out of the table.
func TestAutoIndexesWhatComesBack(t *testing.T) {
	r := newRig(t)
	stable := []Field{
		{Name: "x-a", Value: "1"},
		{Name: "x-b", Value: "2"},
		{Name: "x-c", Value: "3"},
		{Name: "x-d", Value: "4"},
		{Name: "user-agent", Value: "test/1"},
		{Name: "x-region", Value: "eu"},
	}
	r.send(IndexAuto, Field{Name: "x-id", Value: "first"})
	r.send(IndexAuto, Field{Name: "x-id", Value: "second"})
	inserted := r.e.table.inserted
	for i := range 1000 {
		r.send(IndexAuto, append(stable, Field{Name: "x-id", Value: strconv.Itoa(i)}, Field{Name: ":path", Value: strconv.Itoa(i * 7)})...)
	}
	if got := int(r.e.table.inserted - inserted); got != len(stable) {
		t.Errorf("%d insertions for %d fields that came back and 2000 that did not", got, len(stable))
	}
}

// TestPeerTableSize would break if the peer could make our table larger, or if
// we used a larger one than it allows.
func TestPeerTableSize(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sizes []uint32
		want  []byte // what Begin says
	}{
		{"none", nil, nil},
		{"the default", []uint32{4096}, nil},
		{"larger", []uint32{1<<32 - 1}, nil},
		{"smaller", []uint32{100}, update(100)},
		{"zero", []uint32{0}, update(0)},
		{"smaller twice", []uint32{200, 100}, update(100)},
		{"down and up again", []uint32{100, 4096}, seq(update(0), update(4096))},
		{"down and half up again", []uint32{100, 200}, seq(update(0), update(200))},
		{"down, up and down", []uint32{100, 200, 50}, seq(update(0), update(50))},
		{"down and beyond", []uint32{100, 1<<32 - 1}, seq(update(0), update(4096))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			fields := []Field{{Name: "a", Value: "1"}, {Name: "b", Value: strings.Repeat("2", 100)}, {Name: "c", Value: "3"}}
			r.send(IndexAlways, fields...)
			before := r.e.Generation()
			for _, n := range tt.sizes {
				r.e.SetPeerTableSize(n)
			}
			if changed := r.e.Generation() != before; changed != (tt.want != nil) {
				t.Errorf("generation changed: %v", changed)
			}
			block := r.send(IndexAlways, fields...)
			if got := block[:len(block)-len(bytes.TrimPrefix(block, tt.want))]; !bytes.Equal(got, tt.want) {
				t.Errorf("the block %x does not begin with %x", block, tt.want)
			}
			if r.e.table.max > DefaultTableSize {
				t.Errorf("a table of %d bytes", r.e.table.max)
			}
			if again := r.e.Begin(nil); len(again) != 0 {
				t.Errorf("updates said twice: %x", again)
			}
		})
	}

	r := newRig(t)
	r.e.SetPeerTableSize(100)
	r.send(IndexAlways, Field{Name: "a", Value: "1"})
	r.e.SetPeerTableSize(200)
	if got := r.e.Begin(nil); !bytes.Equal(got, update(200)) {
		t.Errorf("up alone: %x, want %x", got, update(200))
	}
}

// TestManyEntries would break if an entry were found under a wrong index, or
// after it was evicted, as the ring grows and turns.
func TestManyEntries(t *testing.T) {
	r := newRig(t)
	field := func(i int) Field { return Field{Name: "n" + strconv.Itoa(i%17), Value: "v" + strconv.Itoa(i)} }
	for i := range 3000 {
		r.send(IndexAlways, field(i), field(i/2), field(i-i%50), field(max(0, i-100)))
		if i%500 == 499 {
			r.e.SetPeerTableSize(uint32(500 + i))
		}
	}
	if r.e.table.inserted < 3000 || len(r.e.table.ring) > 128 {
		t.Errorf("%d insertions, a ring of %d", r.e.table.inserted, len(r.e.table.ring))
	}
}

// TestIndexOfAnyTable would break if an entry was not found again: while the table is
// small and has no index, when it gets one, or with one.
func TestIndexOfAnyTable(t *testing.T) {
	e := NewEncoder()
	field := func(i int) Field { return Field{Name: "x-name-" + strconv.Itoa(i), Value: strconv.Itoa(i)} }
	for n := range 3 * unindexed {
		e.AppendField(nil, field(n), IndexAlways)
		if indexed := e.index != nil; indexed != (n+1 > unindexed) {
			t.Errorf("with %d entries there is an index: %v", n+1, indexed)
		}
		for i := range n + 1 {
			if got := e.AppendField(nil, field(i), IndexAlways); len(got) != 1 {
				t.Fatalf("entry %d of %d is not found: it takes %d bytes", i, n+1, len(got))
			}
			other := Field{Name: field(i).Name, Value: ""}
			if got := e.AppendField(nil, other, IndexNever); len(got) >= len(other.Name) {
				t.Fatalf("the name of entry %d of %d is not found: it takes %d bytes", i, n+1, len(got))
			}
		}
	}
}

// TestEncoderGeneration would break if a remembered block were sent when it
// means something else, or could never be sent again.
func TestEncoderGeneration(t *testing.T) {
	r := newRig(t)
	f := Field{Name: ":path", Value: "/a/b"}
	one := r.e.Generation()
	r.send(IndexAlways, f)
	two := r.e.Generation()
	if one == two {
		t.Error("an insertion leaves the generation as it was")
	}
	block := r.send(IndexAlways, f, Field{Name: ":method", Value: "POST"})
	if IndexedPrefix(block) != len(block) {
		t.Errorf("block %x is not made of indexed fields only", block)
	}
	r.send(IndexNever, Field{Name: "grpc-timeout", Value: "1S"})
	r.send(IndexAlways, Field{Name: "authorization", Value: "x", Sensitive: true})
	if r.e.Generation() != two {
		t.Error("the generation changed though the table did not")
	}
}

// TestEncoderCopiesStrings would break if the table kept a caller's memory alive:
// a short string may be a part of a long one.
func TestEncoderCopiesStrings(t *testing.T) {
	name, value := strings.Repeat("n", 1<<16)[:8], strings.Repeat("v", 1<<16)[:8]
	e := NewEncoder()
	e.AppendField(nil, Field{Name: name, Value: value}, IndexAlways)
	kept := e.table.at(0)
	if unsafe.StringData(kept.name) == unsafe.StringData(name) || unsafe.StringData(kept.value) == unsafe.StringData(value) {
		t.Error("the table holds the caller's strings")
	}
}

// TestDecoderCopiesStrings would break if the fields or the table held the
// block, which is lent.
func TestDecoderCopiesStrings(t *testing.T) {
	block := seq([]byte{0x00}, plain("name"), plain("value"), []byte{0x40}, plain("other"), plain("thing"))
	r := newRig(t)
	got, err := r.d.Decode(nil, block, roomy)
	if err != nil {
		t.Fatal(err)
	}
	for i := range block {
		block[i] = 'x'
	}
	if got[0] != (Field{Name: "name", Value: "value"}) || got[1] != (Field{Name: "other", Value: "thing"}) {
		t.Errorf("%q: the fields hold the block", pairs(got))
	}
	checkTable(t, &r.d.table, []Field{{Name: "other", Value: "thing"}}, 42)
}

// TestStaticTable would break if a name's place in the hash were lost.
func TestStaticTable(t *testing.T) {
	for i := 1; i <= staticCount; i++ {
		f := staticTable[i]
		if got, exact := findStatic(hashString(0, f.Name), f.Name, f.Value); got != i || !exact {
			t.Errorf("%q: index %d, exact %v; want %d", f.Name, got, exact, i)
		}
		got, exact := findStatic(hashString(0, f.Name), f.Name, "another value")
		if exact || staticTable[got].Name != f.Name || staticTable[got-1].Name == f.Name {
			t.Errorf("%q by name: index %d, exact %v", f.Name, got, exact)
		}
		if got, _ := findStatic(hashString(0, f.Name+"-"), f.Name+"-", ""); got != 0 {
			t.Errorf("%q-: index %d, want none", f.Name, got)
		}
	}
}
