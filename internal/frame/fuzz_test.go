package frame

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

// appendParsed is the inverse of parse; false where we have no writer.
func appendParsed(h Head, v any) ([]byte, bool) {
	switch v := v.(type) {
	case Data:
		return AppendData(nil, h.StreamID, v.Data, v.EndStream), true
	case Headers:
		return AppendHeaders(nil, h.StreamID, v.Fragment, v.EndStream, v.EndHeaders), true
	case Priority:
		return AppendPriority(nil, h.StreamID, v), true
	case RSTStream:
		return AppendRSTStream(nil, h.StreamID, v.Code), true
	case Settings:
		if v.Ack {
			return AppendSettingsAck(nil), true
		}
		all := make([]Setting, v.Len())
		for i := range all {
			all[i] = v.At(i)
		}
		return AppendSettings(nil, all...), true
	case Ping:
		return AppendPing(nil, v.Ack, v.Data), true
	case GoAway:
		return AppendGoAway(nil, v.Last, v.Code, v.Debug), true
	case WindowUpdate:
		return AppendWindowUpdate(nil, h.StreamID, v.Increment), true
	case Continuation:
		return AppendContinuation(nil, h.StreamID, v.Fragment, v.EndHeaders), true
	}
	return nil, false
}

// meaningful are the flags that survive being written again by us: padding
// and the priority of HEADERS do not.
func meaningful(t Type) Flags {
	switch t {
	case TypeData:
		return FlagEndStream
	case TypeHeaders:
		return FlagEndStream | FlagEndHeaders
	case TypeSettings, TypePing:
		return FlagAck
	case TypeContinuation:
		return FlagEndHeaders
	}
	return 0
}

// FuzzParse feeds one frame: no panic, only *Error, errors of the right scope,
// slices inside the payload, and what parses can be written and read again.
func FuzzParse(f *testing.F) {
	f.Add([]byte("\x00\x00\x02\x00\x01\x00\x00\x00\x01hi"))
	f.Add([]byte("\x00\x00\x06\x00\x09\x00\x00\x00\x01\x03hi\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x09\x01\x2d\x00\x00\x00\x03\x02\x80\x00\x00\x01\xff\x82\x00\x00"))
	f.Add(AppendSettings(nil, Setting{SettingMaxFrameSize, 1}, Setting{SettingInitialWindowSize, 1 << 31}))
	f.Add(AppendSettingsAck(nil))
	f.Add(AppendPing(nil, true, [8]byte{}))
	f.Add(AppendGoAway(nil, 1, CodeNo, []byte("debug")))
	f.Add(AppendWindowUpdate(nil, 1, 0))
	f.Add(AppendPriority(nil, 1, Priority{Dependency: 1}))
	f.Add(AppendRSTStream(nil, 0, CodeNo))
	f.Add(AppendContinuation(nil, 1, nil, true))
	f.Add([]byte("\x00\x00\x04\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02"))
	f.Add([]byte("\x00\x00\x00\x0f\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < HeadLen {
			return
		}
		h, payload := ParseHead(b), b[HeadLen:]
		if head := AppendHead(nil, h); !bytes.Equal(head[:5], b[:5]) {
			t.Fatalf("head %x became %x", b[:HeadLen], head)
		}
		got, err := parse(h, payload)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code == CodeNo || e.Text == "" || (e.StreamID != 0 && e.StreamID != h.StreamID) {
				t.Fatalf("error %#v for %+v", err, h)
			}
			return
		}
		if d, ok := got.(Data); ok && (d.Flow != len(payload) || len(d.Data) > d.Flow) {
			t.Fatalf("DATA of %d bytes counts %d", len(payload), d.Flow)
		}
		again, ok := appendParsed(h, got)
		if !ok || len(payload) > MinMaxFrameSize {
			return
		}
		h2 := ParseHead(again)
		if h2.Type != h.Type || h2.StreamID != h.StreamID || h2.Length != len(again)-HeadLen {
			t.Fatalf("%+v became %+v", h, h2)
		}
		reparsed, err := parse(h2, again[HeadLen:])
		if err != nil {
			t.Fatalf("what we wrote does not parse: %v", err)
		}
		if h.Flags == h.Flags&meaningful(h.Type) {
			if !reflect.DeepEqual(got, reparsed) {
				t.Fatalf("%+v became %+v", got, reparsed)
			}
			if h.Type != TypeWindowUpdate && h.Type != TypeGoAway && !bytes.Equal(again[HeadLen:], payload) {
				t.Fatalf("%x became %x", payload, again[HeadLen:])
			}
		}
	})
}
