package difftest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/yodelrpc/yodel/internal/frame"
	"golang.org/x/net/http2"
)

// FuzzFrame reads one frame with both parsers: what one accepts the other
// accepts, as the same values.
func FuzzFrame(f *testing.F) {
	for _, b := range frameSeeds() {
		f.Add(b)
	}
	f.Fuzz(compareFrame)
}

// TestFrames does the same for random frames of every type and flag, whose
// lengths are near those that the RFC has rules about.
func TestFrames(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		payload := make([]byte, random.IntN(20))
		for i := range payload {
			if random.IntN(2) == 0 {
				payload[i] = byte(random.IntN(256) >> random.IntN(8))
			}
		}
		h := frame.Head{
			Length:   len(payload),
			Type:     frame.Type(random.IntN(int(frame.TypeContinuation) + 1)),
			Flags:    frame.Flags(random.IntN(256)),
			StreamID: uint32(random.IntN(3)),
		}
		compareFrame(t, append(frame.AppendHead(nil, h), payload...))
	}
}

func frameSeeds() [][]byte {
	return [][]byte{
		frame.AppendData(nil, 1, []byte("data"), true),
		frame.AppendHeaders(nil, 1, []byte{0x82}, true, true),
		[]byte("\x00\x00\x09\x01\x2d\x00\x00\x00\x03\x02\x80\x00\x00\x01\xff\x82\x00\x00"),
		frame.AppendPriority(nil, 3, frame.Priority{Dependency: 1, Weight: 15}),
		frame.AppendRSTStream(nil, 1, frame.CodeCancel),
		frame.AppendSettings(nil, frame.Setting{ID: frame.SettingMaxFrameSize, Value: 1 << 14}),
		frame.AppendSettingsAck(nil),
		[]byte("\x00\x00\x04\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02"),
		frame.AppendPing(nil, true, [8]byte{1}),
		frame.AppendGoAway(nil, 3, frame.CodeNo, []byte("debug")),
		frame.AppendWindowUpdate(nil, 0, 1),
		frame.AppendContinuation(nil, 1, []byte{0x82}, true),
	}
}

// compareFrame skips what the two differ in on purpose: types that RFC 9113 does
// not name, a stream that depends on itself (refused by us alone), and a
// SETTINGS_INITIAL_WINDOW_SIZE out of range (refused by us where settings are
// applied).
func compareFrame(t *testing.T, b []byte) {
	if len(b) < frame.HeadLen {
		return
	}
	h := frame.ParseHead(b)
	payload := b[frame.HeadLen:]
	if h.Type > frame.TypeContinuation || len(payload) > frame.MinMaxFrameSize {
		return
	}
	h.Length = len(payload)
	whole := append(frame.AppendHead(nil, h), payload...)
	framer := http2.NewFramer(nil, bytes.NewReader(whole))
	framer.AllowIllegalReads = true // the order of frames is not the parser's
	theirs, theirErr := framer.ReadFrame()
	ours := parseFrame(h, payload)
	if ours.dependsOnItself || errors.Is(theirErr, http2.ConnectionError(http2.ErrCodeFlowControl)) {
		return
	}
	if (ours.err == nil) != (theirErr == nil) {
		t.Fatalf("%+v %x: ours %v, theirs %v", h, payload, ours.err, theirErr)
	}
	if theirErr == nil {
		ours.compare(t, theirs)
	}
}

// parsed is what our parser made of a frame.
type parsed struct {
	value           any
	err             error
	dependsOnItself bool
}

func parseFrame(h frame.Head, payload []byte) (p parsed) {
	switch h.Type {
	case frame.TypeData:
		p.value, p.err = frame.ParseData(h, payload)
	case frame.TypeHeaders:
		p.value, p.err = frame.ParseHeaders(h, payload)
		p.dependsOnItself = p.err != nil && h.Has(frame.FlagPriority)
		if p.dependsOnItself {
			// Is it only that? On another stream it would not be.
			other := h
			other.StreamID = frame.MaxStreamID - 1 - h.StreamID
			_, err := frame.ParseHeaders(other, payload)
			p.dependsOnItself = h.StreamID != 0 && err == nil
		}
	case frame.TypePriority:
		p.value, p.err = frame.ParsePriority(h, payload)
		p.dependsOnItself = p.err != nil && h.StreamID != 0 && len(payload) == 5
	case frame.TypeRSTStream:
		p.value, p.err = frame.ParseRSTStream(h, payload)
	case frame.TypeSettings:
		p.value, p.err = frame.ParseSettings(h, payload)
	case frame.TypePushPromise:
		p.value, p.err = frame.ParsePushPromise(h, payload)
	case frame.TypePing:
		p.value, p.err = frame.ParsePing(h, payload)
	case frame.TypeGoAway:
		p.value, p.err = frame.ParseGoAway(h, payload)
	case frame.TypeWindowUpdate:
		p.value, p.err = frame.ParseWindowUpdate(h, payload)
	case frame.TypeContinuation:
		p.value, p.err = frame.ParseContinuation(h, payload)
	}
	return p
}

func (p parsed) compare(t *testing.T, theirs http2.Frame) {
	t.Helper()
	same := false
	switch ours := p.value.(type) {
	case frame.Data:
		f := theirs.(*http2.DataFrame)
		same = bytes.Equal(ours.Data, f.Data()) && ours.EndStream == f.StreamEnded() && ours.Flow == int(f.Length)
	case frame.Headers:
		f := theirs.(*http2.HeadersFrame)
		same = bytes.Equal(ours.Fragment, f.HeaderBlockFragment()) && ours.EndStream == f.StreamEnded() &&
			ours.EndHeaders == f.HeadersEnded() && ours.HasPriority == f.HasPriority() && samePriority(ours.Priority, f.Priority)
	case frame.Priority:
		same = samePriority(ours, theirs.(*http2.PriorityFrame).PriorityParam)
	case frame.RSTStream:
		same = uint32(ours.Code) == uint32(theirs.(*http2.RSTStreamFrame).ErrCode)
	case frame.Settings:
		same = sameSettings(ours, theirs.(*http2.SettingsFrame))
	case frame.PushPromise:
		same = ours.Promised == theirs.(*http2.PushPromiseFrame).PromiseID
	case frame.Ping:
		f := theirs.(*http2.PingFrame)
		same = ours.Ack == f.IsAck() && ours.Data == f.Data
	case frame.GoAway:
		f := theirs.(*http2.GoAwayFrame)
		same = ours.Last == f.LastStreamID && uint32(ours.Code) == uint32(f.ErrCode) && bytes.Equal(ours.Debug, f.DebugData())
	case frame.WindowUpdate:
		same = ours.Increment == theirs.(*http2.WindowUpdateFrame).Increment
	case frame.Continuation:
		f := theirs.(*http2.ContinuationFrame)
		same = bytes.Equal(ours.Fragment, f.HeaderBlockFragment()) && ours.EndHeaders == f.HeadersEnded()
	}
	if !same {
		t.Fatalf("ours %+v, theirs %v", p.value, theirs)
	}
}

func samePriority(ours frame.Priority, theirs http2.PriorityParam) bool {
	return ours == frame.Priority{Dependency: theirs.StreamDep, Exclusive: theirs.Exclusive, Weight: theirs.Weight}
}

func sameSettings(ours frame.Settings, theirs *http2.SettingsFrame) bool {
	if ours.Ack != theirs.IsAck() || ours.Len() != theirs.NumSettings() {
		return false
	}
	for i := range ours.Len() {
		a, b := ours.At(i), theirs.Setting(i)
		if uint16(a.ID) != uint16(b.ID) || a.Value != b.Val {
			return false
		}
	}
	return true
}
