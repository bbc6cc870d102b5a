package difftest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/yodelrpc/yodel/internal/hpack"
	xhpack "golang.org/x/net/http2/hpack"
)

var unlimited = hpack.Limits{Bytes: 1 << 30, Fields: 1 << 30}

// difference is one that is meant.
type difference string

const (
	// none: both must agree.
	none difference = ""
	// longInteger: we take 5 continuation bytes and 32 bits, x/net takes 9 bytes
	// (threats R5: an integer must not go on for ever).
	longInteger difference = "integers are bounded"
	// lateUpdate: we take a size update at the start of a block only, as RFC 7541
	// §4.2 demands; x/net takes one anywhere while its table is empty.
	lateUpdate difference = "size updates come first"
	// manyUpdates: we take two at most, as many as §4.2 can ask for; x/net takes
	// any number while its table is empty.
	manyUpdates difference = "two size updates at most"
	// secondUpdate: we take a second update, as §4.2 demands; x/net refuses it
	// while its table holds an entry.
	secondUpdate difference = "a second size update is allowed"
)

// ourDifference names why we alone refuse a block.
func ourDifference(err error) difference {
	var e *hpack.Error
	if !errors.As(err, &e) {
		return none
	}
	switch {
	case strings.Contains(e.Text, "5 continuation bytes"):
		return longInteger
	case strings.Contains(e.Text, "size update follows"):
		return lateUpdate
	case strings.Contains(e.Text, "more than two table size updates"):
		return manyUpdates
	}
	return none
}

// theirDifference names why x/net alone refuses a block.
func theirDifference(block []byte, err error) difference {
	if strings.Contains(err.Error(), "MUST occur at the beginning") && len(block) > 0 && block[0]&0xe0 == 0x20 {
		return secondUpdate
	}
	return none
}

// compare decodes a block with both, and tells whether to go on: a table is of
// no use after an error.
func compare(t *testing.T, ours *hpack.Decoder, theirs *xhpack.Decoder, block []byte) bool {
	t.Helper()
	got, err := ours.Decode(nil, block, unlimited)
	want, xerr := theirs.DecodeFull(block)
	switch {
	case err == nil && xerr == nil:
		if g, w := ourFields(got), theirFields(want); g != w {
			t.Fatalf("block %x\nours:   %s\ntheirs: %s", block, g, w)
		}
		return true
	case err != nil && xerr != nil:
	case err != nil:
		if ourDifference(err) == none {
			t.Fatalf("block %x: we refuse it, x/net does not: %v", block, err)
		}
	default:
		if theirDifference(block, xerr) == none {
			t.Fatalf("block %x: x/net refuses it, we do not: %v", block, xerr)
		}
	}
	return false
}

func ourFields(fields []hpack.Field) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "%q=%q,%v ", f.Name, f.Value, f.Sensitive)
	}
	return b.String()
}

func theirFields(fields []xhpack.HeaderField) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "%q=%q,%v ", f.Name, f.Value, f.Sensitive)
	}
	return b.String()
}

// blocks splits data into blocks, each after a byte that has its length.
func blocks(data []byte) (out [][]byte) {
	for len(data) > 0 {
		n := min(int(data[0]), len(data)-1)
		out = append(out, data[1:1+n])
		data = data[1+n:]
	}
	return out
}

func joinBlocks(hexBlocks ...string) []byte {
	var out []byte
	for _, h := range hexBlocks {
		b, err := hex.DecodeString(h)
		if err != nil {
			panic(err)
		}
		out = append(append(out, byte(len(b))), b...)
	}
	return out
}

// FuzzHPACKDecode feeds both decoders the same blocks: they must take or refuse
// them alike and yield the same fields.
func FuzzHPACKDecode(f *testing.F) {
	for _, seed := range [][]byte{
		joinBlocks("828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf", "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"),
		joinBlocks("400161016282", "20be", "3f614001610162", "2020be"),
		joinBlocks("400161016220", "2082"), // update after a field
		joinBlocks("ff8080808000"),
		joinBlocks("0f2f0161", "7f2f0161"),
		joinBlocks("018100", "0184ffffffff", "0182f8ff"),
		joinBlocks("100870617373776f726406736563726574"),
		joinBlocks("3fe11f", "3fe21f"),
	} {
		f.Add(seed, uint16(4096))
		f.Add(seed, uint16(64))
	}
	f.Fuzz(func(t *testing.T, data []byte, table uint16) {
		size := min(uint32(table), hpack.DefaultTableSize)
		ours, theirs := hpack.NewDecoder(size), xhpack.NewDecoder(size, nil)
		for _, block := range blocks(data) {
			if !compare(t, ours, theirs, block) {
				return
			}
		}
	})
}

// TestDifferences would break if one side changed its mind: each difference that
// is meant is one still, and in the direction that its name says.
func TestDifferences(t *testing.T) {
	for _, tt := range []struct {
		difference difference
		// filled tells that the table holds a field, at index 62.
		filled   bool
		block    string
		weRefuse bool
	}{
		{longInteger, false, "0f80808080800000", true},
		{lateUpdate, false, "8220", true},
		{manyUpdates, false, "202020", true},
		{secondUpdate, true, "3f253f26be", false},
	} {
		ours, theirs := hpack.NewDecoder(4096), xhpack.NewDecoder(4096, nil)
		if tt.filled && !compare(t, ours, theirs, []byte{0x40, 1, 'a', 1, 'b'}) {
			t.Fatalf("%s: the block before it is refused", tt.difference)
		}
		block, err := hex.DecodeString(tt.block)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ours.Decode(nil, block, unlimited)
		_, xerr := theirs.DecodeFull(block)
		if tt.weRefuse {
			if xerr != nil || err == nil || ourDifference(err) != tt.difference {
				t.Errorf("%s: we say %v, x/net says %v", tt.difference, err, xerr)
			}
		} else if err != nil || xerr == nil || theirDifference(block, xerr) != tt.difference {
			t.Errorf("%s: we say %v, x/net says %v", tt.difference, err, xerr)
		}
	}
}

// FuzzHPACKEncode has x/net decode what we encode, over blocks that share a
// table whose size changes between them.
func FuzzHPACKEncode(f *testing.F) {
	f.Add([]byte("\x04name\x05value\x00\x04name\x05value\x01\x04name\x05value\x82\x05other\x00\x03"))
	f.Add([]byte("\x01a\x01b\x01\x01c\x01d\xe1\x02\x05\x01c\x01d\x01\x01a\x01b\x81\x01c\x01d\x01"))
	f.Add([]byte("\x05:path\x04/a/b\x01\x05:path\x04/a/b\xff\x10\x20\x05:path\x04/a/b\x01"))
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
		e, d := hpack.NewEncoder(), xhpack.NewDecoder(hpack.DefaultTableSize, nil)
		block := e.Begin(nil)
		var sent []hpack.Field
		for len(data) > 0 {
			field := hpack.Field{Name: takeString(), Value: takeString()}
			action := take()
			field.Sensitive = action&4 != 0
			block = e.AppendField(block, field, hpack.Indexing(action%3))
			sent = append(sent, field)
			if action&0x80 == 0 && len(data) > 0 {
				continue
			}
			got, err := d.DecodeFull(block)
			if err != nil {
				t.Fatalf("block %x of %s: %v", block, ourFields(sent), err)
			}
			if g, s := theirFields(got), ourFields(sent); g != s {
				t.Fatalf("block %x\nsent:    %s\narrived: %s", block, s, g)
			}
			for _, bit := range []byte{0x40, 0x20, 0x10} {
				if action&bit != 0 {
					n := uint32(take()) * 20
					e.SetPeerTableSize(n)
					d.SetAllowedMaxDynamicTableSize(n)
				}
			}
			block, sent = e.Begin(nil), nil
		}
	})
}

// TestLongHuffmanStrings compares strings of every symbol and of every length up
// to where all the steps of a decoder are taken.
func TestLongHuffmanStrings(t *testing.T) {
	var text []byte
	for i := range 600 {
		text = append(text, byte(i), byte(i*7), 'a'+byte(i%26))
	}
	for n := range 300 {
		for _, at := range []int{0, 1, 2, 500, 1000} {
			s := string(text[at : at+n])
			e := hpack.NewEncoder()
			block := e.AppendField(nil, hpack.Field{Name: "n", Value: s}, hpack.IndexNever)
			var buf bytes.Buffer
			if err := xhpack.NewEncoder(&buf).WriteField(xhpack.HeaderField{Name: "n", Value: s}); err != nil {
				t.Fatal(err)
			}
			for _, b := range [][]byte{block, buf.Bytes()} {
				compare(t, hpack.NewDecoder(4096), xhpack.NewDecoder(4096, nil), b)
			}
		}
	}
}
