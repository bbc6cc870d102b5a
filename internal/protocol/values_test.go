package protocol

import (
	"encoding/base64"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestAppendTimeout(t *testing.T) {
	cases := []struct {
		d    time.Duration
		want string
	}{
		{-1, "1n"},
		{0, "1n"}, // never zero on the wire
		{1, "1n"},
		{99_999_999, "99999999n"},
		{100_000_000, "100000u"},
		{100_000_001, "100001u"}, // rounded up
		{99_999_999 * time.Microsecond, "99999999u"},
		{99_999_999*time.Microsecond + 1, "100000m"},
		{time.Second, "1000000u"},
		{time.Hour, "3600000m"},
		{99_999_999 * time.Millisecond, "99999999m"},
		{100_000 * time.Second, "100000S"},
		{99_999_999*time.Second + 1, "1666667M"},
		{math.MaxInt64, "2562048H"},
	}
	for _, c := range cases {
		if got := string(AppendTimeout(nil, c.d)); got != c.want {
			t.Errorf("AppendTimeout(%d) = %q, want %q", int64(c.d), got, c.want)
		}
	}
	var b [16]byte
	if n := testing.AllocsPerRun(100, func() { AppendTimeout(b[:0], time.Second) }); n != 0 {
		t.Errorf("AppendTimeout allocates %v times", n)
	}
}

func TestParseTimeout(t *testing.T) {
	good := map[string]time.Duration{
		"1n": 1, "1u": time.Microsecond, "1m": time.Millisecond, "1S": time.Second,
		"1M": time.Minute, "1H": time.Hour, "00000001S": time.Second,
		"99999999n": 99_999_999, "0S": 0,
		"2562047H":  2562047 * time.Hour,
		"2562048H":  math.MaxInt64,
		"99999999H": math.MaxInt64,
		"99999999M": 99_999_999 * time.Minute, // 190 years fit
	}
	for s, want := range good {
		if got, err := ParseTimeout(s); got != want || err != nil {
			t.Errorf("ParseTimeout(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", "S", "1", "1s", "1h", "1N", "123456789n", "000000001S", "-1S", "+1S", " 1S", "1S ",
		"1 S", "1.5S", "0x1S", "1_0S", "1SS", "١S", "1\x00", strings.Repeat("9", 1000) + "n",
	} {
		if got, err := ParseTimeout(s); err == nil {
			t.Errorf("ParseTimeout(%q) = %d, want an error", s, got)
		}
	}
}

func FuzzTimeout(f *testing.F) {
	for _, s := range []string{"1n", "99999999H", "", "123456789n", "0S"} {
		f.Add(s, int64(len(s)))
	}
	f.Fuzz(func(t *testing.T, s string, n int64) {
		if d, err := ParseTimeout(s); err == nil && (d < 0 || len(s) > 9) {
			t.Errorf("ParseTimeout(%q) = %d", s, d)
		}
		wire := string(AppendTimeout(nil, time.Duration(n)))
		d, err := ParseTimeout(wire)
		if err != nil || d <= 0 || int64(d) < n {
			t.Errorf("%d was sent as %q and read as %d, %v", n, wire, d, err)
		}
		// Eight digits are good for an error of less than one in a hundred
		// thousand.
		if n > 0 && float64(d)-float64(n) > float64(n)/1e5+1 {
			t.Errorf("%d was sent as %q: rounded up too far", n, wire)
		}
	})
}

func TestMessage(t *testing.T) {
	cases := []struct{ text, wire string }{
		{"", ""},
		{"plain text, with ~!", "plain text, with ~!"},
		{"100%", "100%25"},
		{"a\nb\x00\x7f", "a%0Ab%00%7F"},
		{"ü", "%C3%BC"},
		{"\U0001F600 x", "%F0%9F%98%80 x"},
		{" a ", "%20a%20"},
		{"  a  b  ", "%20 a  b %20"},
		{" ", "%20"},
		{"ü ", "%C3%BC%20"},
	}
	for _, c := range cases {
		wire, whole := EncodeMessage(c.text, math.MaxInt)
		if wire != c.wire || !whole {
			t.Errorf("EncodeMessage(%q) = %q, %v; want %q", c.text, wire, whole, c.wire)
		}
		if got := DecodeMessage(wire); got != c.text {
			t.Errorf("%q came back as %q", c.text, got)
		}
	}
	if wire, _ := EncodeMessage("a\xffb", math.MaxInt); wire != "a%EF%BF%BDb" {
		t.Errorf("what is not UTF-8 is sent as %q", wire)
	}
	decode := []struct{ wire, text string }{
		{"%", "%"},
		{"%4", "%4"},
		{"%G1", "%G1"},
		{"%1G", "%1G"},
		{"%%41", "%A"},
		{"%c3%bc", "ü"}, // lower-case hex of other implementations
		{"%ff", "\uFFFD"},
		{"a%C3", "a\uFFFD"},
		{"raw \xff byte", "raw \uFFFD byte"},
		{"raw ü", "raw ü"},
		{"%00", "\x00"},
	}
	for _, c := range decode {
		if got := DecodeMessage(c.wire); got != c.text {
			t.Errorf("DecodeMessage(%q) = %q, want %q", c.wire, got, c.text)
		}
	}
	if n := testing.AllocsPerRun(100, func() { EncodeMessage("plain", 100); DecodeMessage("plain") }); n != 0 {
		t.Errorf("a plain message allocates %v times", n)
	}
}

// R21: the encoded form is cut at 8 KiB, at a rune boundary.
func TestMessageIsCut(t *testing.T) {
	cases := []struct {
		name  string
		text  string
		limit int
		wire  int // length
		whole bool
	}{
		{"at 8 KiB", strings.Repeat("x", 8<<10), math.MaxInt, 8 << 10, true},
		{"over 8 KiB", strings.Repeat("x", 8<<10+1), math.MaxInt, 8 << 10, false},
		{"encoded over 8 KiB", strings.Repeat("ü", 2000), math.MaxInt, 8<<10 - 2, false},
		{"plain, then not", strings.Repeat("x", 8<<10-5) + "ü", math.MaxInt, 8<<10 - 5, false},
		{"lower limit", "abcdef", 3, 3, false},
		{"lower limit that suffices", "abc", 3, 3, true},
		{"no room", "abc", 0, 0, false},
		{"negative room", "abc", -5, 0, false},
		{"nothing, no room", "", 0, 0, true},
		{"room for half a rune", "\U0001F600", 11, 0, false},
		{"room for a rune", "\U0001F600", 12, 12, true},
		{"plain at the end", "\nabc", 5, 5, false},
		{"space at the end", "a ", 3, 1, false},
		{"spaces where it is cut", "a   b", 3, 1, false},
		{"spaces where it is cut, after an escape", "\n  b", 5, 3, false},
	}
	for _, c := range cases {
		wire, whole := EncodeMessage(c.text, c.limit)
		if len(wire) != c.wire || whole != c.whole {
			t.Errorf("%s: %d bytes, whole %v; want %d, %v", c.name, len(wire), whole, c.wire, c.whole)
		}
		if !strings.HasPrefix(c.text, DecodeMessage(wire)) {
			t.Errorf("%s: cut inside a rune or an escape: ...%q", c.name, wire[max(0, len(wire)-12):])
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, s := range []string{"", "%", "%G1", "%C3%BC", "ü\xff\x00", "100%25"} {
		f.Add(s, 5)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		decoded := DecodeMessage(s)
		if !utf8.ValidString(decoded) {
			t.Errorf("DecodeMessage(%q) = %q is not UTF-8", s, decoded)
		}
		if want, err := url.PathUnescape(s); err == nil && utf8.ValidString(want) && decoded != want {
			t.Errorf("DecodeMessage(%q) = %q, net/url says %q", s, decoded, want)
		}
		wire, whole := EncodeMessage(s, limit)
		if len(wire) > max(limit, 0) || len(wire) > maxMessage {
			t.Errorf("%d bytes with a limit of %d", len(wire), limit)
		}
		for i := range len(wire) {
			if wire[i] < 0x20 || wire[i] > 0x7e {
				t.Fatalf("%q has the byte %#x", wire, wire[i])
			}
		}
		if strings.Trim(wire, " ") != wire {
			t.Errorf("%q begins or ends with a space", wire)
		}
		back := DecodeMessage(wire)
		if utf8.ValidString(s) && (whole != (back == s) || !strings.HasPrefix(s, back)) {
			t.Errorf("%q became %q, whole %v", s, back, whole)
		}
	})
}

func TestBinary(t *testing.T) {
	cases := []struct{ value, wire string }{
		{"", ""},
		{"\x00", "AA"},
		{"\x00\x01", "AAE"},
		{"\x00\x01\x02", "AAEC"},
		{"\xfb\xff", "+/8"},
		{strings.Repeat("\xff", 300), strings.Repeat("/", 400)},
	}
	for _, c := range cases {
		if got := EncodeBinary(c.value); got != c.wire {
			t.Errorf("EncodeBinary(%q) = %q, want %q without padding", c.value, got, c.wire)
		}
		padded := base64.StdEncoding.EncodeToString([]byte(c.value))
		for _, wire := range []string{c.wire, padded} {
			if got, err := DecodeBinary(wire); got != c.value || err != nil {
				t.Errorf("DecodeBinary(%q) = %q, %v; want %q", wire, got, err, c.value)
			}
		}
	}
	for _, bad := range []string{"A", "AA=", "AA===", "A===", "=", "====", "A A=", "-_8", "AA,AA", "é"} {
		if got, err := DecodeBinary(bad); err == nil {
			t.Errorf("DecodeBinary(%q) = %q, want an error", bad, got)
		}
	}
}

func FuzzBinary(f *testing.F) {
	for _, s := range []string{"", "AA", "AA==", "AAE=", "====", "A", "+/8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if back, err := DecodeBinary(EncodeBinary(s)); err != nil || back != s {
			t.Errorf("%q came back as %q, %v", s, back, err)
		}
		if strings.ContainsAny(s, "\r\n") {
			return // Go's decoder skips them; no field value can hold them
		}
		got, err := DecodeBinary(s)
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
			if want, wantErr := e.DecodeString(s); wantErr == nil && (err != nil || got != string(want)) {
				t.Errorf("DecodeBinary(%q) = %q, %v; want %q", s, got, err, want)
			}
		}
	})
}

func TestContentType(t *testing.T) {
	cases := []struct {
		in      string
		subtype string
		ok      bool
	}{
		{"application/grpc", "", true},
		{"application/grpc+proto", "proto", true},
		{"application/grpc+JSON", "json", true},
		{"Application/GRPC", "", true},
		{"application/grpc+", "", true},
		{"application/grpc;charset=utf-8", "", true},
		{"application/grpc ; x", "", true},
		{"application/grpc+proto;x=y", "proto", true},
		{"application/grpc+proto ;x=y", "proto", true},
		{"", "", false},
		{"application/grp", "", false},
		{"application/grpcfoo", "", false},
		{"application/grpc-web", "", false},
		{"application/grpc-web+proto", "", false},
		{"application/json", "", false},
		{" application/grpc", "", false},
	}
	for _, c := range cases {
		if subtype, ok := parseContentType(c.in); subtype != c.subtype || ok != c.ok {
			t.Errorf("parseContentType(%q) = %q, %v; want %q, %v", c.in, subtype, ok, c.subtype, c.ok)
		}
	}
	for _, subtype := range []string{"", "proto", "json", "x-y"} {
		if got, ok := parseContentType(ContentType(subtype)); got != subtype || !ok {
			t.Errorf("subtype %q came back as %q, %v", subtype, got, ok)
		}
	}
}

func TestRoundTimeout(t *testing.T) {
	for _, c := range []struct{ d, want time.Duration }{
		{9999*time.Millisecond + 1, 10 * time.Second},
		{10 * time.Second, 10 * time.Second},
		{199*time.Millisecond + 999*time.Microsecond, 200 * time.Millisecond},
		{99*time.Millisecond + 950*time.Microsecond, 100 * time.Millisecond},
		{99*time.Millisecond + 850*time.Microsecond, 99*time.Millisecond + 900*time.Microsecond},
		{1*time.Millisecond + 1, 1*time.Millisecond + 10*time.Microsecond},
		{999 * time.Microsecond, 999 * time.Microsecond},
		{1, 1},
		{0, 0},
		{math.MaxInt64, math.MaxInt64},
	} {
		if got := RoundTimeout(c.d); got != c.want {
			t.Errorf("RoundTimeout(%v) = %v, want %v", c.d, got, c.want)
		}
	}
	for d := time.Duration(1); d > 0 && d < math.MaxInt64/11; d = d*11/10 + 1 {
		if got := RoundTimeout(d); got < d || got-d > d/100 || got-d > time.Millisecond {
			t.Errorf("RoundTimeout(%v) = %v", d, got)
		}
	}
}
