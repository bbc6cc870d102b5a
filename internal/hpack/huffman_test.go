package hpack

import (
	"bytes"
	"strings"
	"testing"
)

// TestHuffmanCode pins some codes of RFC 7541 Appendix B: the lengths alone
// decide all of them, so one wrong length moves many.
func TestHuffmanCode(t *testing.T) {
	for symbol, code := range map[int]uint32{
		0: 0x1ff8, 1: 0x7fffd8, '\n': 0x3ffffffc, ' ': 0x14, '0': 0x0, '9': 0x1f, 'A': 0x21, 'Z': 0xfd,
		'a': 0x3, 'z': 0x7b, '~': 0x1ffd, 127: 0xffffffc, 128: 0xfffe6, 200: 0x3ffffe2, 255: 0x3ffffee, eos: 0x3fffffff,
	} {
		if got := uint32(huffman.codes[symbol] >> 8); got != code {
			t.Errorf("the code of %d is %#x, want %#x", symbol, got, code)
		}
	}
	// Every code is used: the lengths fill the tree exactly (Kraft).
	sum := uint64(0)
	for _, l := range codeLengths {
		sum += 1 << (maxCode - l)
	}
	if sum != 1<<maxCode {
		t.Errorf("the codes fill %d of %d", sum, 1<<maxCode)
	}
	if last := huffman.long[longLengths-1]; last.length != maxCode || last.end != 1<<maxCode {
		t.Errorf("the last of the long codes: %+v", last)
	}
}

// TestHuffmanRoundTrip would break at the edges of the decoder's steps: every
// pair of symbols, at every offset in the bit buffer.
func TestHuffmanRoundTrip(t *testing.T) {
	var all strings.Builder
	for a := range 256 {
		for _, b := range []int{'0', 'a', ' ', 'z', '&', '!', '\\', 0xff, '\n', (a * 7) % 256} {
			all.Write([]byte{byte(a), byte(b)})
		}
	}
	text := all.String()
	for start := range 300 {
		for _, n := range []int{0, 1, 2, 3, 5, 8, 13, 30, 100, 1000} {
			s := text[start : start+n]
			code := appendHuffman(nil, s)
			if len(code) != huffmanLength(s) {
				t.Fatalf("%q takes %d bytes, not %d", s, len(code), huffmanLength(s))
			}
			if len(s) > maxHuffmanDecoded(len(code)) {
				t.Fatalf("%q is longer than the bound of %d", s, maxHuffmanDecoded(len(code)))
			}
			for _, room := range []int{len(s), maxHuffmanDecoded(len(code))} {
				got := make([]byte, room)
				if n, ok := huffmanDecode(got, code); !ok || string(got[:n]) != s {
					t.Fatalf("%q became %q, %v in a buffer of %d", s, got[:n], ok, room)
				}
			}
			if l, ok := huffmanDecodedLength(code); !ok || l != len(s) {
				t.Fatalf("%q has %d bytes, %v", s, l, ok)
			}
		}
	}
}

// TestHuffmanInPieces would break if the reader lost its place between buffers.
func TestHuffmanInPieces(t *testing.T) {
	want := []byte(strings.Repeat("a\n\x00 long~ 0&", 40))
	code := appendHuffman(nil, string(want))
	for size := 1; size < 70; size++ {
		r := huffmanReader{src: code}
		var got []byte
		for {
			buf := make([]byte, size)
			n, done, ok := r.read(buf)
			got = append(got, buf[:n]...)
			if !ok {
				t.Fatalf("buffers of %d: not valid after %d bytes", size, len(got))
			}
			if done {
				break
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("buffers of %d: %q", size, got)
		}
	}
}

// TestHuffmanPadding is the rules of RFC 7541 §5.2 for the last bits.
func TestHuffmanPadding(t *testing.T) {
	for _, tt := range []struct {
		code string
		want string
		ok   bool
	}{
		{"", "", true},
		{"1f", "a", true},                   // 00011 111
		{"1e", "", false},                   // 00011 110
		{"1fff", "", false},                 // a, then 11 bits of padding
		{"f8", "&", true},                   // 11111000, no padding
		{"f8ff", "", false},                 // 8 bits of padding
		{"ff", "", false},                   // 8 bits of padding alone
		{"fe3f", "!", true},                 // 1111111000 111111
		{"fe00", "", false},                 // ! and 000000: a symbol 0 and a 0 bit
		{"fffffff3", "\n", true},            // 30 bits and 11
		{"ffffffff", "", false},             // EOS
		{"1fffffffff", "", false},           // a, EOS
		{"fffffffc00", "", false},           // EOS, 00
		{"fffffffc000000000000", "", false}, // EOS, 0000000000
	} {
		got := make([]byte, 100)
		n, ok := huffmanDecode(got, unhex(t, tt.code))
		got = got[:n]
		if ok != tt.ok || ok && string(got) != tt.want {
			t.Errorf("%s: %q, %v; want %q, %v", tt.code, got, ok, tt.want, tt.ok)
		}
	}
}
