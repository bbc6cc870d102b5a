package envelope

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/yodelrpc/yodel/status"
)

func envelopeOf(flags byte, size uint32, payload string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{flags}, size)
	return append(b, payload...)
}

func TestParse(t *testing.T) {
	const limit = 8
	cases := []struct {
		name       string
		in         []byte
		payload    string
		compressed bool
		n          int
		code       status.Code
	}{
		{"nothing", nil, "", false, 0, status.OK},
		{"part of a prefix", []byte{0, 0, 0, 0}, "", false, 0, status.OK},
		{"prefix only", envelopeOf(0, 1, ""), "", false, 0, status.OK},
		{"empty message", envelopeOf(0, 0, ""), "", false, 5, status.OK},
		{"message", envelopeOf(0, 3, "abc"), "abc", false, 8, status.OK},
		{"compressed", envelopeOf(1, 3, "abc"), "abc", true, 8, status.OK},
		{"message and more", envelopeOf(0, 3, "abcd"), "abc", false, 8, status.OK},
		{"at the limit", envelopeOf(0, 8, "abcdefgh"), "abcdefgh", false, 13, status.OK},
		{"over the limit, of which nothing has come", envelopeOf(0, 9, ""), "", false, 0, status.ResourceExhausted},
		{"4 GiB claimed", envelopeOf(0, math.MaxUint32, ""), "", false, 0, status.ResourceExhausted},
		{"compressed over the limit", envelopeOf(1, 9, ""), "", false, 0, status.ResourceExhausted},
		{"flag 2", envelopeOf(2, 0, ""), "", false, 0, status.Internal},
		{"gRPC-Web trailer flag", envelopeOf(0x80, 0, ""), "", false, 0, status.Internal},
		{"bad flag and size", envelopeOf(0xff, math.MaxUint32, ""), "", false, 0, status.Internal},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, n, err := Parse(c.in, limit)
			if string(m.Payload) != c.payload || m.Compressed != c.compressed || n != c.n {
				t.Errorf("Parse = %q %v, %d; want %q %v, %d", m.Payload, m.Compressed, n, c.payload, c.compressed, c.n)
			}
			if cap(m.Payload) != len(m.Payload) {
				t.Error("appending to the payload would overwrite what follows")
			}
			var coded interface{ Code() status.Code }
			if errors.As(err, &coded) != (c.code != status.OK) || coded != nil && coded.Code() != c.code {
				t.Errorf("error %v, want the code %v", err, c.code)
			}
		})
	}
}

// R19: what a prefix claims must not cost anything before it has come, and a
// limit that is switched off must let it through.
func TestLimitIsCheckedBeforeAllocation(t *testing.T) {
	liar := envelopeOf(0, 1<<30, "")
	if n := testing.AllocsPerRun(100, func() { _, _, _ = Parse(liar, 1<<20) }); n > 1 {
		t.Errorf("refusing a lying prefix allocates %v times, want the error only", n)
	}
	if _, _, err := Parse(liar, 1<<30); err != nil {
		t.Errorf("a limit that suffices: %v", err)
	}
	tooLarge, ok := errors.AsType[*TooLargeError](func() error { _, _, err := Parse(liar, 1<<20); return err }())
	if !ok || tooLarge.Size != 1<<30 || tooLarge.Limit != 1<<20 {
		t.Errorf("%+v does not tell the size and the limit", tooLarge)
	}
	if _, _, err := Parse(envelopeOf(0, 0, ""), -1); err == nil {
		t.Error("a negative limit accepts an empty message")
	}
}

func TestSeal(t *testing.T) {
	b := append(Reserve([]byte("before")), "abc"...)
	if err := Seal(b[6:], 0, true, 3); err != nil {
		t.Fatal(err)
	}
	if want := append([]byte("before"), envelopeOf(1, 3, "abc")...); !bytes.Equal(b, want) {
		t.Errorf("sealed %x, want %x", b, want)
	}
	err := Seal(b[6:], 0, false, 2)
	if e, ok := errors.AsType[*TooLargeError](err); !ok || e.Size != 3 || e.Limit != 2 {
		t.Errorf("over the send limit: %v", err)
	}
	b[6] = 0xee
	if err := Seal(b[6:], 0, false, math.MaxInt); err != nil || b[6] != 0 {
		t.Errorf("flag %d, error %v", b[6], err)
	}
}

// A reader that is woken too early does work for nothing, and one that is not
// woken hangs: both are decided here.
func TestDemand(t *testing.T) {
	const limit = 8
	whole := envelopeOf(0, 3, "abc")
	two := append(bytes.Clone(whole), 0)
	cases := []struct {
		name      string
		in        []byte
		one, only bool // whether the reader wakes
	}{
		{"nothing", nil, false, false},
		{"part of a prefix", whole[:4], false, false},
		{"prefix", whole[:5], false, false},
		{"all but a byte", whole[:7], false, false},
		{"a message", whole, true, false},
		{"an empty message", envelopeOf(0, 0, ""), true, false},
		{"more than a message", two, true, true},
		{"bad flag", envelopeOf(2, 3, ""), true, true},
		{"over the limit", envelopeOf(0, 9, ""), true, true},
		{"at the limit", envelopeOf(0, 8, ""), false, false},
	}
	one, only := OneMessage(limit), OnlyMessage(limit)
	for _, c := range cases {
		if got := len(c.in) >= one(c.in); got != c.one {
			t.Errorf("%s: OneMessage wakes %v, want %v", c.name, got, c.one)
		}
		if got := len(c.in) >= only(c.in); got != c.only {
			t.Errorf("%s: OnlyMessage wakes %v, want %v", c.name, got, c.only)
		}
	}
	if n := testing.AllocsPerRun(100, func() { one(two); only(two); one(cases[8].in) }); n != 0 {
		t.Errorf("asking allocates %v times", n)
	}
}

// doubling "compresses" by halving repeated bytes; enough to see the hooks.
type doubling struct{ ignoresLimit bool }

func (doubling) Compress(dst, src []byte) ([]byte, error) {
	for i := 0; i < len(src); i += 2 {
		dst = append(dst, src[i])
	}
	return dst, nil
}

func (d doubling) Decompress(dst, src []byte, limit int) ([]byte, error) {
	if 2*len(src) > limit && !d.ignoresLimit {
		return dst, errors.New("too large")
	}
	for _, c := range src {
		dst = append(dst, c, c)
	}
	return dst, nil
}

type failing struct{}

func (failing) Compress(dst, _ []byte) ([]byte, error) { return dst, errors.New("broken") }

func TestAppendAndOpen(t *testing.T) {
	b, err := Append([]byte("x"), []byte("aabb"), doubling{}, 2)
	if err != nil || !bytes.Equal(b, append([]byte("x"), envelopeOf(1, 2, "ab")...)) {
		t.Fatalf("Append = %x, %v", b, err)
	}
	m, n, err := Parse(b[1:], 2)
	if err != nil || n != 7 {
		t.Fatalf("Parse = %d, %v", n, err)
	}
	out, err := m.Open([]byte("y"), doubling{}, 4)
	if err != nil || string(out) != "yaabb" {
		t.Errorf("Open = %q, %v", out, err)
	}
	if _, err := m.Open(nil, doubling{}, 3); err == nil {
		t.Error("the decompressor was not given the limit")
	}
	if _, err := m.Open(nil, doubling{ignoresLimit: true}, 3); err == nil {
		t.Error("a decompressor that ignores its limit is trusted")
	}
	if _, err := m.Open(nil, nil, 4); !errors.Is(err, ErrNotNegotiated) {
		t.Errorf("compressed without a compression: %v", err)
	}
	empty := Message{Compressed: true}
	if out, err := empty.Open(nil, doubling{}, 4); err != nil || len(out) != 0 {
		t.Errorf("an empty compressed message: %q, %v", out, err)
	}
	if b, err := Append(nil, []byte("abc"), nil, 3); err != nil || !bytes.Equal(b, envelopeOf(0, 3, "abc")) {
		t.Errorf("uncompressed: %x, %v", b, err)
	}
	if _, err := Append(nil, []byte("abc"), nil, 2); err == nil {
		t.Error("the send limit is off")
	}
	if _, err := Append(nil, []byte("abc"), failing{}, 3); err == nil {
		t.Error("a compressor's error is lost")
	}
}

func TestErrorTexts(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{FlagError(0x80), "0x80"},
		{&TooLargeError{Size: 7, Limit: 5}, "7 bytes"},
		{&TooLargeError{Limit: 5}, "more than 5 bytes"},
	} {
		if !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%q does not say %q", c.err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{}, 10)
	f.Add(envelopeOf(0, 3, "abc"), 10)
	f.Add(envelopeOf(1, 3, "abcd"), 3)
	f.Add(envelopeOf(0x80, math.MaxUint32, ""), math.MaxInt)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		one, only := OneMessage(limit)(b), OnlyMessage(limit)(b)
		m, n, err := Parse(b, limit)
		// Parse has something to say exactly when the reader would be woken.
		if done := n > 0 || err != nil; done != (len(b) >= one) {
			t.Errorf("Parse: %d, %v; OneMessage wants %d of %d bytes", n, err, one, len(b))
		}
		if n > 0 && (only != n+1 || len(m.Payload) > limit || n > len(b)) {
			t.Errorf("n %d of %d, limit %d, OnlyMessage %d", n, len(b), limit, only)
		}
		if n > 0 {
			again, err := Append(nil, m.Payload, nil, limit)
			if err != nil {
				t.Fatal(err)
			}
			again[0] = b[0]
			if !bytes.Equal(again, b[:n]) {
				t.Errorf("%x became %x", b[:n], again)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	in := envelopeOf(0, 100, strings.Repeat("x", 100))
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = Parse(in, 4<<20)
	}
}
