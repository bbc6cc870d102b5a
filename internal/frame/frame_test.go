package frame

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// parse is what a connection's switch over types looks like.
func parse(h Head, payload []byte) (any, error) {
	switch h.Type {
	case TypeData:
		return ParseData(h, payload)
	case TypeHeaders:
		return ParseHeaders(h, payload)
	case TypePriority:
		return ParsePriority(h, payload)
	case TypeRSTStream:
		return ParseRSTStream(h, payload)
	case TypeSettings:
		return ParseSettings(h, payload)
	case TypePushPromise:
		return ParsePushPromise(h, payload)
	case TypePing:
		return ParsePing(h, payload)
	case TypeGoAway:
		return ParseGoAway(h, payload)
	case TypeWindowUpdate:
		return ParseWindowUpdate(h, payload)
	case TypeContinuation:
		return ParseContinuation(h, payload)
	}
	return nil, nil // unknown: skipped by the caller
}

// The bytes of every frame that we write, and what they read as. A change of
// either side alone fails here.
func TestGolden(t *testing.T) {
	tests := []struct {
		name  string
		bytes string
		got   []byte
		id    uint32
		want  any
	}{
		{
			"DATA", "000002 00 00 00000001 6869", AppendData(nil, 1, []byte("hi"), false), 1,
			Data{Data: []byte("hi"), Flow: 2},
		},
		{
			"DATA end", "000000 00 01 7fffffff", AppendData(nil, MaxStreamID, nil, true), MaxStreamID,
			Data{Data: []byte{}, EndStream: true},
		},
		{
			"HEADERS", "000001 01 04 00000003 82", AppendHeaders(nil, 3, []byte{0x82}, false, true), 3,
			Headers{Fragment: []byte{0x82}, EndHeaders: true},
		},
		{
			"HEADERS end, more to come", "000001 01 01 00000003 82", AppendHeaders(nil, 3, []byte{0x82}, true, false), 3,
			Headers{Fragment: []byte{0x82}, EndStream: true},
		},
		{
			"PRIORITY", "000005 02 00 00000005 80000003 0f", AppendPriority(nil, 5, Priority{Dependency: 3, Exclusive: true, Weight: 15}), 5,
			Priority{Dependency: 3, Exclusive: true, Weight: 15},
		},
		{
			"RST_STREAM", "000004 03 00 00000007 00000008", AppendRSTStream(nil, 7, CodeCancel), 7,
			RSTStream{Code: CodeCancel},
		},
		{
			"SETTINGS", "00000c 04 00 00000000 0004 00010000 fe03 00000001",
			AppendSettings(nil, Setting{SettingInitialWindowSize, 65536}, Setting{0xfe03, 1}), 0,
			Settings{entries: unhex(t, "0004 00010000 fe03 00000001")},
		},
		{"SETTINGS empty", "000000 04 00 00000000", AppendSettings(nil), 0, Settings{entries: []byte{}}},
		{"SETTINGS ack", "000000 04 01 00000000", AppendSettingsAck(nil), 0, Settings{Ack: true}},
		{
			"PING", "000008 06 00 00000000 0102030405060708", AppendPing(nil, false, [8]byte{1, 2, 3, 4, 5, 6, 7, 8}), 0,
			Ping{Data: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}},
		},
		{
			"PING ack", "000008 06 01 00000000 0102030405060708", AppendPing(nil, true, [8]byte{1, 2, 3, 4, 5, 6, 7, 8}), 0,
			Ping{Ack: true, Data: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}},
		},
		{
			"GOAWAY", "00000a 07 00 00000000 0000000f 0000000b 6e6f", AppendGoAway(nil, 15, CodeEnhanceYourCalm, []byte("no")), 0,
			GoAway{Last: 15, Code: CodeEnhanceYourCalm, Debug: []byte("no")},
		},
		{
			"WINDOW_UPDATE stream", "000004 08 00 00000009 7fffffff", AppendWindowUpdate(nil, 9, 1<<31-1), 9,
			WindowUpdate{Increment: 1<<31 - 1},
		},
		{
			"WINDOW_UPDATE connection", "000004 08 00 00000000 00000001", AppendWindowUpdate(nil, 0, 1), 0,
			WindowUpdate{Increment: 1},
		},
		{
			"CONTINUATION", "000001 09 04 00000003 84", AppendContinuation(nil, 3, []byte{0x84}, true), 3,
			Continuation{Fragment: []byte{0x84}, EndHeaders: true},
		},
		{
			"CONTINUATION, more to come", "000001 09 00 00000003 84", AppendContinuation(nil, 3, []byte{0x84}, false), 3,
			Continuation{Fragment: []byte{0x84}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := unhex(t, tt.bytes)
			if !bytes.Equal(tt.got, want) {
				t.Fatalf("appended %x, want %x", tt.got, want)
			}
			h := ParseHead(want)
			if h.Length != len(want)-HeadLen || h.StreamID != tt.id {
				t.Fatalf("head %+v, want length %d and stream %d", h, len(want)-HeadLen, tt.id)
			}
			got, err := parse(h, want[HeadLen:])
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("parsed %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Frames that only a peer writes: padding, priority in HEADERS, reserved bits
// and flags without a meaning.
func TestParseOnly(t *testing.T) {
	tests := []struct {
		name, bytes string
		want        any
	}{
		{"padded DATA counts its padding", "000006 00 09 00000001 03 6869 000000", Data{Data: []byte("hi"), Flow: 6, EndStream: true}},
		{"DATA of padding alone", "000004 00 08 00000001 03 000000", Data{Data: []byte{}, Flow: 4}},
		{"padding need not be zero", "000003 00 08 00000001 01 41 ff", Data{Data: []byte("A"), Flow: 3}},
		{
			"padded HEADERS with priority", "000009 01 2d 00000003 02 80000001 ff 82 0000",
			Headers{Fragment: []byte{0x82}, EndStream: true, EndHeaders: true, HasPriority: true, Priority: Priority{Dependency: 1, Exclusive: true, Weight: 255}},
		},
		{
			"HEADERS with priority and no fragment", "000005 01 24 00000003 00000000 10",
			Headers{Fragment: []byte{}, EndHeaders: true, HasPriority: true, Priority: Priority{Weight: 16}},
		},
		{"reserved bit of the stream id", "000002 00 00 80000001 6869", Data{Data: []byte("hi"), Flow: 2}},
		{"reserved bit of the increment", "000004 08 00 00000001 80000005", WindowUpdate{Increment: 5}},
		{"reserved bit of GOAWAY", "000008 07 00 00000000 80000003 00000000", GoAway{Last: 3, Debug: []byte{}}},
		{"flags without a meaning", "000004 03 ff 00000001 00000000", RSTStream{}},
		{"END_STREAM and PADDED mean nothing in CONTINUATION", "000001 09 0d 00000001 82", Continuation{Fragment: []byte{0x82}, EndHeaders: true}},
		{"unknown code", "000004 03 00 00000001 ffffffff", RSTStream{Code: 0xffffffff}},
		{"PUSH_PROMISE", "000005 05 04 00000001 00000002 82", PushPromise{Promised: 2}},
		{"padded PUSH_PROMISE", "000006 05 0c 00000001 01 80000002 00", PushPromise{Promised: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.bytes)
			got, err := parse(ParseHead(b), b[HeadLen:])
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("parsed %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Every way in which a frame can be malformed, its code, and whether it costs
// the stream or the connection.
func TestMalformed(t *testing.T) {
	tests := []struct {
		name, bytes string
		code        Code
		stream      uint32
	}{
		{"§6.1 DATA on stream 0", "000001 00 00 00000000 41", CodeProtocol, 0},
		{"§6.1 DATA padding as long as the payload", "000002 00 08 00000001 02 00", CodeProtocol, 0},
		{"§6.1 DATA padding longer by all", "000001 00 08 00000001 ff", CodeProtocol, 0},
		{"§4.2 DATA without pad length", "000000 00 08 00000001", CodeFrameSize, 0},
		{"§6.2 HEADERS on stream 0", "000001 01 04 00000000 82", CodeProtocol, 0},
		{"§6.2 HEADERS too much padding", "000003 01 0c 00000001 03 82 00", CodeProtocol, 0},
		{"§4.2 HEADERS without pad length", "000000 01 0c 00000001", CodeFrameSize, 0},
		{"§4.2 HEADERS short priority", "000004 01 24 00000001 00000000", CodeFrameSize, 0},
		{"§4.2 HEADERS priority eaten by padding", "000006 01 2c 00000001 01 00000000 10", CodeFrameSize, 0},
		{"HEADERS on itself", "000006 01 24 00000003 00000003 10 82", CodeProtocol, 0},
		{"§6.3 PRIORITY on stream 0", "000005 02 00 00000000 00000001 10", CodeProtocol, 0},
		{"§6.3 PRIORITY short", "000004 02 00 00000003 00000001", CodeFrameSize, 3},
		{"§6.3 PRIORITY long", "000006 02 00 00000003 00000001 10 00", CodeFrameSize, 3},
		{"PRIORITY on itself", "000005 02 00 00000003 80000003 10", CodeProtocol, 3},
		{"§6.4 RST_STREAM on stream 0", "000004 03 00 00000000 00000008", CodeProtocol, 0},
		{"§6.4 RST_STREAM short", "000003 03 00 00000001 000008", CodeFrameSize, 0},
		{"§6.4 RST_STREAM long", "000005 03 00 00000001 0000000800", CodeFrameSize, 0},
		{"§6.5 SETTINGS on a stream", "000000 04 00 00000001", CodeProtocol, 0},
		{"§6.5 SETTINGS ack with payload", "000006 04 01 00000000 0004 00010000", CodeFrameSize, 0},
		{"§6.5 SETTINGS not a multiple of 6", "000005 04 00 00000000 0004 000100", CodeFrameSize, 0},
		{"§6.6 PUSH_PROMISE on stream 0", "000004 05 04 00000000 00000002", CodeProtocol, 0},
		{"§6.6 PUSH_PROMISE short", "000003 05 04 00000001 000000", CodeFrameSize, 0},
		{"§6.6 PUSH_PROMISE too much padding", "000005 05 0c 00000001 05 00000002", CodeProtocol, 0},
		{"§6.7 PING on a stream", "000008 06 00 00000001 0102030405060708", CodeProtocol, 0},
		{"§6.7 PING short", "000007 06 00 00000000 01020304050607", CodeFrameSize, 0},
		{"§6.7 PING long", "000009 06 00 00000000 010203040506070809", CodeFrameSize, 0},
		{"§6.8 GOAWAY on a stream", "000008 07 00 00000001 00000000 00000000", CodeProtocol, 0},
		{"§6.8 GOAWAY short", "000007 07 00 00000000 00000000 000000", CodeFrameSize, 0},
		{"§6.9 WINDOW_UPDATE of 0 on a stream", "000004 08 00 00000001 00000000", CodeProtocol, 1},
		{"§6.9 WINDOW_UPDATE of 0 on the connection", "000004 08 00 00000000 80000000", CodeProtocol, 0},
		{"§6.9 WINDOW_UPDATE short", "000003 08 00 00000001 000001", CodeFrameSize, 0},
		{"§6.9 WINDOW_UPDATE long", "000005 08 00 00000001 0000000100", CodeFrameSize, 0},
		{"§6.10 CONTINUATION on stream 0", "000001 09 04 00000000 82", CodeProtocol, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.bytes)
			h := ParseHead(b)
			_, err := parse(h, b[HeadLen:])
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want an *Error", err)
			}
			if e.Code != tt.code || e.StreamID != tt.stream {
				t.Errorf("%v on stream %d, want %v on %d", e.Code, e.StreamID, tt.code, tt.stream)
			}
			if !strings.Contains(e.Error(), h.Type.String()) || !strings.Contains(e.Error(), tt.code.String()) {
				t.Errorf("%q names neither frame nor code", e)
			}
		})
	}
}

// Padding of every length is taken off, and counted by flow control: what is
// not counted here is never credited back, and windows leak.
func TestPaddingOfEveryLength(t *testing.T) {
	for pad := range 256 {
		payload := append([]byte{byte(pad)}, "body"...)
		payload = append(payload, make([]byte, pad)...)
		d, err := ParseData(Head{Type: TypeData, Flags: FlagPadded, StreamID: 1}, payload)
		if err != nil || string(d.Data) != "body" || d.Flow != 1+4+pad {
			t.Fatalf("pad %d: %q, flow %d, %v", pad, d.Data, d.Flow, err)
		}
	}
}

func TestCheckSize(t *testing.T) {
	h := Head{Type: 0xee, Length: 16384}
	if err := CheckSize(h, 16384); err != nil {
		t.Error(err)
	}
	h.Length++
	var e *Error
	if err := CheckSize(h, 16384); !errors.As(err, &e) || e.Code != CodeFrameSize || e.StreamID != 0 {
		t.Errorf("a frame above the limit: %v, want a FRAME_SIZE_ERROR of the connection", err)
	}
}

func TestAppendHeaderBlock(t *testing.T) {
	block := []byte("0123456789")
	for _, tt := range []struct {
		block []byte
		max   int
		want  string
	}{
		{nil, 4, "000000 01 05 00000001"},
		{block[:4], 4, "000004 01 05 00000001 30313233"},
		{block[:5], 4, "000004 01 01 00000001 30313233 000001 09 04 00000001 34"},
		{block, 4, "000004 01 01 00000001 30313233 000004 09 00 00000001 34353637 000002 09 04 00000001 3839"},
		{block[:8], 4, "000004 01 01 00000001 30313233 000004 09 04 00000001 34353637"},
		{block[:1], 0, "000001 01 05 00000001 30"},
	} {
		if got := AppendHeaderBlock(nil, 1, tt.block, true, tt.max); !bytes.Equal(got, unhex(t, tt.want)) {
			t.Errorf("%q in frames of %d: %x, want %s", tt.block, tt.max, got, tt.want)
		}
	}
}

func TestPutHead(t *testing.T) {
	b := append(make([]byte, HeadLen), "xyz"...)
	PutHead(b, Head{Length: 3, Type: TypeHeaders, Flags: HeadersFlags(true, true), StreamID: 5})
	if want := unhex(t, "000003 01 05 00000005 78797a"); !bytes.Equal(b, want) {
		t.Errorf("%x, want %x", b, want)
	}
}

func TestGoAwayDebugIsCut(t *testing.T) {
	b := AppendGoAway(nil, 0, CodeNo, make([]byte, 1<<20))
	if h := ParseHead(b); h.Length != MinMaxFrameSize || len(b) != HeadLen+MinMaxFrameSize {
		t.Errorf("GOAWAY of %d bytes, which a peer may refuse", h.Length)
	}
}

func TestSettingsEntries(t *testing.T) {
	s, err := ParseSettings(Head{Type: TypeSettings}, unhex(t, "0001 00001000 0001 00000000 ffff ffffffff"))
	if err != nil || s.Len() != 3 {
		t.Fatal(s.Len(), err)
	}
	for i, want := range []Setting{{SettingHeaderTableSize, 4096}, {SettingHeaderTableSize, 0}, {0xffff, 1<<32 - 1}} {
		if got := s.At(i); got != want {
			t.Errorf("entry %d is %v, want %v", i, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		TypeData.String(): "DATA", TypeContinuation.String(): "CONTINUATION", Type(10).String(): "UNKNOWN_FRAME_10",
		CodeNo.String(): "NO_ERROR", CodeHTTP11Required.String(): "HTTP_1_1_REQUIRED", Code(14).String(): "UNKNOWN_ERROR_14",
		Code(1<<32 - 1).String():            "UNKNOWN_ERROR_4294967295",
		SettingMaxFrameSize.String():        "SETTINGS_MAX_FRAME_SIZE",
		SettingID(7).String():               "UNKNOWN_SETTING_7",
		(&Error{Text: "x"}).Error():         "HTTP/2 connection error NO_ERROR: x",
		(&Error{1, 3, "some text"}).Error(): "HTTP/2 stream 3 error PROTOCOL_ERROR: some text",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for id := range SettingID(10) {
		if s := id.String(); s == "" {
			t.Errorf("setting %d has no name", id)
		}
	}
}

// Every type, flag and small length is safe, on stream 0 and on others.
func TestEveryType(t *testing.T) {
	payload := make([]byte, 32)
	for typ := range 256 {
		for flags := range 256 {
			for n := range payload {
				for _, id := range [...]uint32{0, 1, 2, MaxStreamID} {
					h := Head{Length: n, Type: Type(typ), Flags: Flags(flags), StreamID: id}
					_, err := parse(h, payload[:n])
					if typ > int(TypeContinuation) && err != nil {
						t.Fatalf("unknown type %d: %v", typ, err)
					}
				}
			}
		}
	}
}

func TestAllocations(t *testing.T) {
	stream := AppendHeaderBlock(nil, 1, []byte{0x82, 0x84}, false, 1)
	stream = AppendData(stream, 1, []byte("hello"), true)
	stream = AppendSettings(stream, Setting{SettingMaxFrameSize, 1 << 14})
	stream = AppendPing(stream, false, [8]byte{1})
	stream = AppendWindowUpdate(stream, 0, 5)
	stream = AppendRSTStream(stream, 1, CodeCancel)
	stream = AppendGoAway(stream, 1, CodeNo, nil)
	out := make([]byte, 0, 256)
	allocs := testing.AllocsPerRun(100, func() {
		for b := stream; len(b) > 0; {
			h := ParseHead(b)
			b = b[HeadLen+parseTyped(h, b[HeadLen:HeadLen+h.Length]):]
		}
		out = AppendSettings(AppendData(out[:0], 1, stream[:20], true), Setting{SettingMaxFrameSize, 1 << 14})
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}

// parseTyped is parse without the boxing of its result.
func parseTyped(h Head, payload []byte) int {
	var err error
	switch h.Type {
	case TypeData:
		_, err = ParseData(h, payload)
	case TypeHeaders:
		_, err = ParseHeaders(h, payload)
	case TypeSettings:
		_, err = ParseSettings(h, payload)
	case TypePing:
		_, err = ParsePing(h, payload)
	case TypeWindowUpdate:
		_, err = ParseWindowUpdate(h, payload)
	case TypeRSTStream:
		_, err = ParseRSTStream(h, payload)
	case TypeGoAway:
		_, err = ParseGoAway(h, payload)
	case TypeContinuation:
		_, err = ParseContinuation(h, payload)
	}
	if err != nil {
		panic(err)
	}
	return h.Length
}

func BenchmarkParseData(b *testing.B) {
	raw := AppendData(nil, 1, make([]byte, 105), true)
	b.ReportAllocs()
	for b.Loop() {
		h := ParseHead(raw)
		if d, err := ParseData(h, raw[HeadLen:]); err != nil || d.Flow != 105 {
			b.Fatal(err)
		}
	}
}
