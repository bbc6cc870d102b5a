package hpack

import (
	"errors"
	"slices"
	"testing"
)

func fuzzSeeds(f *testing.F) {
	for _, s := range rfcExamples {
		var all []byte
		for _, b := range s.blocks {
			block := unhex(f, b.block)
			f.Add(block, uint16(4096), uint8(100))
			f.Add(block, uint16(60), uint8(2))
			all = append(append(all, byte(len(block))), block...)
		}
		f.Add(all, uint16(4096), uint8(100))
	}
	f.Add(seq([]byte{10}, update(0), update(4096), insertField("a", "b")), uint16(500), uint8(3))
	f.Add([]byte{0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, uint16(0), uint8(0))
	f.Add([]byte{0x01, 0x84, 0xff, 0xff, 0xff, 0xff}, uint16(100), uint8(1))
}

// FuzzDecode decodes several blocks with a limit, and the same without one. It
// would break if input could make the decoder panic, pass its limits, or let its
// limits change what its table holds.
func FuzzDecode(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte, maxBytes uint16, maxFields uint8) {
		lim := Limits{Bytes: int(maxBytes), Fields: int(maxFields)}
		limited, free := NewDecoder(DefaultTableSize), NewDecoder(DefaultTableSize)
		for len(data) > 0 {
			// The first byte says how long the block is.
			n := min(int(data[0]), len(data)-1)
			block := data[1 : 1+n]
			data = data[1+n:]

			got, err := limited.Decode(nil, block, lim)
			all, freeErr := free.Decode(nil, block, Limits{Bytes: 1 << 30, Fields: 1 << 30})
			if broken, ok := errors.AsType[*Error](freeErr); ok {
				var e *Error
				if !errors.As(err, &e) || *e != *broken {
					t.Fatalf("with limits %v, without %v", err, freeErr)
				}
				return
			}
			size := 0
			kept := 0
			for kept < len(all) && kept < lim.Fields {
				if size += len(all[kept].Name) + len(all[kept].Value) + FieldOverhead; size > lim.Bytes {
					break
				}
				kept++
			}
			if !slices.Equal(got, all[:kept]) || (err == ErrTooLarge) != (kept < len(all)) || err != nil && err != ErrTooLarge {
				t.Fatalf("with limits %q, %v; without %q", pairs(got), err, pairs(all))
			}
			if limited.Generation() != free.Generation() {
				t.Fatal("the limits change the generation")
			}
			checkDecoder(t, limited, free)
			if n := IndexedPrefix(block); n > len(block) {
				t.Fatalf("an indexed prefix of %d bytes", n)
			}
		}
	})
}

func checkDecoder(t *testing.T, d, other *Decoder) {
	t.Helper()
	table := &d.table
	if table.count != other.table.count || table.max != other.table.max {
		t.Fatal("the limits change the table")
	}
	size := uint32(0)
	for i := range table.count {
		e := table.at(i)
		size += entrySize(e.name, e.value)
		if *e != *other.table.at(i) {
			t.Fatal("the limits change the table")
		}
	}
	if size != table.size || size > table.max || table.max > DefaultTableSize || len(table.ring) > 128 {
		t.Fatalf("a table of %d bytes that says %d, of at most %d, in a ring of %d", size, table.size, table.max, len(table.ring))
	}
}

// FuzzRoundTrip encodes fields over several blocks, with changes of the table's
// size, and would break if they arrived otherwise, or if a remembered block did.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("\x04name\x05value\x00\x04name\x05value\x01\x04name\x05value\x82\x05other\x00\x03"))
	f.Add([]byte("\x05:path\x04/a/b\x01\x05:path\x04/a/b\xff\x10\x05:path\x04/a/b\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		take := func() (b byte) {
			if len(data) > 0 {
				b, data = data[0], data[1:]
			}
			return b
		}
		takeString := func() string {
			n := min(int(take()), len(data))
			s := string(data[:n])
			data = data[n:]
			return s
		}
		e, d := NewEncoder(), NewDecoder(DefaultTableSize)
		var pending []Field
		block := e.Begin(nil)
		remembered, rememberedFields, generation := []byte(nil), []Field(nil), uint64(0)
		for len(data) > 0 {
			field := Field{Name: takeString(), Value: takeString()}
			action := take()
			field.Sensitive = action&4 != 0
			block = e.AppendField(block, field, Indexing(action%3))
			pending = append(pending, field)
			if action&0x80 == 0 && len(data) > 0 {
				continue
			}
			got, err := d.Decode(nil, block, Limits{Bytes: 1 << 30, Fields: 1 << 30})
			if err != nil || !slices.Equal(got, pending) {
				t.Fatalf("sent %q, arrived %q, %v", pairs(pending), pairs(got), err)
			}
			if remembered != nil && generation == e.Generation() {
				got, err := d.Decode(nil, remembered, roomy)
				if err != nil || !slices.Equal(got, rememberedFields) {
					t.Fatalf("remembered %q, arrived %q, %v", pairs(rememberedFields), pairs(got), err)
				}
			}
			if IndexedPrefix(block) == len(block) {
				remembered, rememberedFields, generation = block, pending, e.Generation()
			}
			if action&0x40 != 0 {
				e.SetPeerTableSize(uint32(take()) * 20)
			}
			if action&0x20 != 0 {
				e.SetPeerTableSize(uint32(take()) * 20)
			}
			block, pending = e.Begin(nil), nil
		}
	})
}
