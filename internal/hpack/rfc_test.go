package hpack

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

var roomy = Limits{Bytes: 1 << 20, Fields: 1 << 12}

// rfcBlock is one example of RFC 7541 Appendix C.
type rfcBlock struct {
	block  string // in hex; spaces do not count
	fields []Field
	// table is the dynamic table afterwards, newest first, and size its size.
	table []Field
	size  uint32
	// encoded is what our encoder makes of the fields, if not the block.
	encoded string
}

// rfcSequence is some blocks that share a connection.
type rfcSequence struct {
	name   string
	size   uint32 // SETTINGS_HEADER_TABLE_SIZE
	blocks []rfcBlock
	// decodeOnly is for blocks that leave strings uncoded although that is longer.
	decodeOnly bool
}

func request(scheme, path string, more ...Field) []Field {
	return append([]Field{
		{Name: ":method", Value: "GET"},
		{Name: ":scheme", Value: scheme},
		{Name: ":path", Value: path},
		{Name: ":authority", Value: "www.example.com"},
	}, more...)
}

func response(status, date string, more ...Field) []Field {
	return append([]Field{
		{Name: ":status", Value: status},
		{Name: "cache-control", Value: "private"},
		{Name: "date", Value: date},
		{Name: "location", Value: "https://www.example.com"},
	}, more...)
}

var (
	authority     = Field{Name: ":authority", Value: "www.example.com"}
	noCache       = Field{Name: "cache-control", Value: "no-cache"}
	customKey     = Field{Name: "custom-key", Value: "custom-value"}
	status302     = Field{Name: ":status", Value: "302"}
	status307     = Field{Name: ":status", Value: "307"}
	cachePrivate  = Field{Name: "cache-control", Value: "private"}
	date21        = Field{Name: "date", Value: "Mon, 21 Oct 2013 20:13:21 GMT"}
	date22        = Field{Name: "date", Value: "Mon, 21 Oct 2013 20:13:22 GMT"}
	location      = Field{Name: "location", Value: "https://www.example.com"}
	gzipEncoding  = Field{Name: "content-encoding", Value: "gzip"}
	setCookie     = Field{Name: "set-cookie", Value: "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"}
	request1      = request("http", "/")
	request2      = request("http", "/", noCache)
	request3      = request("https", "/index.html", customKey)
	response1     = response("302", date21.Value)
	response2     = response("307", date21.Value)
	response3     = response("200", date22.Value, gzipEncoding, setCookie)
	requestTable  = []Field{customKey, noCache, authority}
	responseTable = []Field{setCookie, gzipEncoding, date22}
)

var rfcExamples = []rfcSequence{
	{name: "C.2.1", size: 4096, decodeOnly: true, blocks: []rfcBlock{{
		block:  "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
		fields: []Field{{Name: "custom-key", Value: "custom-header"}},
		table:  []Field{{Name: "custom-key", Value: "custom-header"}}, size: 55,
	}}},
	{name: "C.2.2", size: 4096, decodeOnly: true, blocks: []rfcBlock{{
		block:  "040c 2f73 616d 706c 652f 7061 7468",
		fields: []Field{{Name: ":path", Value: "/sample/path"}},
	}}},
	{name: "C.2.3", size: 4096, decodeOnly: true, blocks: []rfcBlock{{
		block:  "1008 7061 7373 776f 7264 0673 6563 7265 74",
		fields: []Field{{Name: "password", Value: "secret", Sensitive: true}},
	}}},
	{name: "C.2.4", size: 4096, blocks: []rfcBlock{{
		block:  "82",
		fields: []Field{{Name: ":method", Value: "GET"}},
	}}},
	{name: "C.3", size: 4096, decodeOnly: true, blocks: []rfcBlock{{
		block:  "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
		fields: request1, table: requestTable[2:], size: 57,
	}, {
		block:  "8286 84be 5808 6e6f 2d63 6163 6865",
		fields: request2, table: requestTable[1:], size: 110,
	}, {
		block:  "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
		fields: request3, table: requestTable, size: 164,
	}}},
	{name: "C.4", size: 4096, blocks: []rfcBlock{{
		block:  "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
		fields: request1, table: requestTable[2:], size: 57,
	}, {
		block:  "8286 84be 5886 a8eb 1064 9cbf",
		fields: request2, table: requestTable[1:], size: 110,
	}, {
		block:  "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
		fields: request3, table: requestTable, size: 164,
	}}},
	{name: "C.5", size: 256, decodeOnly: true, blocks: []rfcBlock{{
		block: "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133" +
			"2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
		fields: response1, table: []Field{location, date21, cachePrivate, status302}, size: 222,
	}, {
		block:  "4803 3330 37c1 c0bf",
		fields: response2, table: []Field{status307, location, date21, cachePrivate}, size: 222,
	}, {
		block: "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d" +
			"54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049" +
			"5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
		fields: response3, table: responseTable, size: 215,
	}}},
	{name: "C.6", size: 256, blocks: []rfcBlock{{
		block: "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6" +
			"2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
		fields: response1, table: []Field{location, date21, cachePrivate, status302}, size: 222,
	}, {
		block: "4883 640e ffc1 c0bf",
		// Coded, 307 is no shorter.
		encoded: "4803 3330 37c1 c0bf",
		fields:  response2, table: []Field{status307, location, date21, cachePrivate}, size: 222,
	}, {
		block: "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab" +
			"77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f" +
			"9587 3160 65c0 03ed 4ee5 b106 3d50 07",
		fields: response3, table: responseTable, size: 215,
	}}},
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func checkTable(t *testing.T, table *dynamicTable, want []Field, size uint32) {
	t.Helper()
	var got []Field
	for i := range table.count {
		e := table.at(i)
		got = append(got, Field{Name: e.name, Value: e.value})
	}
	if !slices.Equal(got, want) || table.size != size {
		t.Errorf("table = %q of %d bytes, want %q of %d", pairs(got), table.size, pairs(want), size)
	}
}

// pairs makes fields printable: a Field hides its value from every verb.
func pairs(fields []Field) []string {
	var out []string
	for _, f := range fields {
		s := f.Name + ": " + f.Value
		if f.Sensitive {
			s += " (sensitive)"
		}
		out = append(out, s)
	}
	return out
}

// TestRFC7541Examples would break if a representation, the Huffman code, the
// static table or the eviction rule were wrong.
func TestRFC7541Examples(t *testing.T) {
	for _, seq := range rfcExamples {
		t.Run(seq.name+"/decode", func(t *testing.T) {
			d := NewDecoder(seq.size)
			for i, b := range seq.blocks {
				got, err := d.Decode(nil, unhex(t, b.block), roomy)
				if err != nil || !slices.Equal(got, b.fields) {
					t.Fatalf("block %d: %q, %v; want %q", i+1, pairs(got), err, pairs(b.fields))
				}
				checkTable(t, &d.table, b.table, b.size)
			}
		})
		if seq.decodeOnly {
			continue
		}
		t.Run(seq.name+"/encode", func(t *testing.T) {
			e := NewEncoder()
			e.SetPeerTableSize(seq.size)
			e.Begin(nil) // the examples leave the update out
			for i, b := range seq.blocks {
				want := b.block
				if b.encoded != "" {
					want = b.encoded
				}
				block := e.Begin(nil)
				for _, f := range b.fields {
					block = e.AppendField(block, f, IndexAlways)
				}
				if got := hex.EncodeToString(block); got != strings.ReplaceAll(want, " ", "") {
					t.Fatalf("block %d: %s, want %s", i+1, got, want)
				}
				checkTable(t, &e.table, b.table, b.size)
			}
		})
	}
}

// TestRFC7541Integers is C.1.
func TestRFC7541Integers(t *testing.T) {
	for _, tt := range []struct {
		value  uint32
		prefix uint
		wire   string
	}{
		{10, 5, "0a"},
		{1337, 5, "1f9a0a"},
		{42, 8, "2a"},
		{30, 5, "1e"},
		{31, 5, "1f00"},
		{158, 5, "1f7f"},
		{159, 5, "1f8001"},
		{1<<32 - 1, 7, "7f80ffffff0f"},
		{1<<32 - 1, 4, "0ff0ffffff0f"},
	} {
		if got := hex.EncodeToString(appendInteger(nil, 0, tt.prefix, tt.value)); got != tt.wire {
			t.Errorf("appendInteger(%d, prefix %d) = %s, want %s", tt.value, tt.prefix, got, tt.wire)
		}
		p := append(unhex(t, tt.wire), 0xff)
		n, next, text := readInteger(p, 0, tt.prefix)
		if n != tt.value || next != len(p)-1 || text != "" {
			t.Errorf("readInteger(%s, prefix %d) = %d, %d, %q", tt.wire, tt.prefix, n, next, text)
		}
	}
}
