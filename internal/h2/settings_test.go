package h2

import (
	"math"
	"testing"

	"github.com/yodelrpc/yodel/internal/frame"
)

func settingsFrame(t *testing.T, entries ...frame.Setting) frame.Settings {
	t.Helper()
	b := frame.AppendSettings(nil, entries...)
	f, err := frame.ParseSettings(frame.ParseHead(b), b[frame.HeadLen:])
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSettingsApply(t *testing.T) {
	s, c, err := DefaultSettings().Apply(settingsFrame(t,
		frame.Setting{ID: frame.SettingHeaderTableSize, Value: 0},
		frame.Setting{ID: frame.SettingEnablePush, Value: 1},
		frame.Setting{ID: frame.SettingMaxConcurrentStreams, Value: 0},
		frame.Setting{ID: frame.SettingInitialWindowSize, Value: 1 << 20},
		frame.Setting{ID: frame.SettingMaxFrameSize, Value: 1<<24 - 1},
		frame.Setting{ID: frame.SettingMaxHeaderListSize, Value: 8192},
		frame.Setting{ID: 0xfe03, Value: 1},
		frame.Setting{ID: frame.SettingInitialWindowSize, Value: 0},
		frame.Setting{ID: frame.SettingHeaderTableSize, Value: 8192},
	), Client, 32)
	want := Settings{HeaderTableSize: 8192, EnablePush: 1, MaxFrameSize: 1<<24 - 1, MaxHeaderListSize: 8192}
	if err != nil || s != want {
		t.Errorf("%+v, %v; want %+v", s, err, want)
	}
	// The lowest table size must be known: an encoder that only hears of the
	// last one leaves the peer's table out of step (RFC 7541 §4.2).
	if (c != Changes{Window: -InitialWindow, HeaderTable: true, LowestHeaderTable: 0}) {
		t.Errorf("changes %+v", c)
	}
	if _, c, err := s.Apply(frame.Settings{}, Client, 32); err != nil || c != (Changes{}) {
		t.Errorf("an empty frame changed %+v, %v", c, err)
	}
}

func TestSettingsRanges(t *testing.T) {
	for _, tt := range []struct {
		id    frame.SettingID
		value uint32
		from  Role
		code  frame.Code
	}{
		{frame.SettingEnablePush, 0, Server, frame.CodeNo},
		{frame.SettingEnablePush, 1, Server, frame.CodeProtocol},
		{frame.SettingEnablePush, 1, Client, frame.CodeNo},
		{frame.SettingEnablePush, 2, Client, frame.CodeProtocol},
		{frame.SettingInitialWindowSize, MaxWindow, Client, frame.CodeNo},
		{frame.SettingInitialWindowSize, MaxWindow + 1, Client, frame.CodeFlowControl},
		{frame.SettingMaxFrameSize, 0, Client, frame.CodeProtocol},
		{frame.SettingMaxFrameSize, 16383, Client, frame.CodeProtocol},
		{frame.SettingMaxFrameSize, 16384, Client, frame.CodeNo},
		{frame.SettingMaxFrameSize, 1<<24 - 1, Client, frame.CodeNo},
		{frame.SettingMaxFrameSize, 1 << 24, Client, frame.CodeProtocol},
		{frame.SettingHeaderTableSize, math.MaxUint32, Client, frame.CodeNo},
		{frame.SettingMaxConcurrentStreams, math.MaxUint32, Server, frame.CodeNo},
		{0, math.MaxUint32, Server, frame.CodeNo},
	} {
		before := DefaultSettings()
		after, _, err := before.Apply(settingsFrame(t, frame.Setting{ID: frame.SettingHeaderTableSize, Value: 1}, frame.Setting{ID: tt.id, Value: tt.value}), tt.from, 32)
		if tt.code == frame.CodeNo {
			if err != nil {
				t.Errorf("%v = %d from a %v: %v", tt.id, tt.value, tt.from, err)
			}
			continue
		}
		wantError(t, err, tt.code, 0)
		if after != before {
			t.Errorf("%v = %d: part of a bad frame took effect", tt.id, tt.value)
		}
	}
}

func TestSettingsEntriesLimit(t *testing.T) {
	many := settingsFrame(t, make([]frame.Setting, 33)...)
	on := Limits{}.Resolve(Server).SettingsEntries
	if _, _, err := DefaultSettings().Apply(settingsFrame(t, make([]frame.Setting, 32)...), Client, on); err != nil {
		t.Error("32 entries:", err)
	}
	_, _, err := DefaultSettings().Apply(many, Client, on)
	wantError(t, err, frame.CodeEnhanceYourCalm, 0)
	off := Limits{SettingsEntries: -1}.Resolve(Server).SettingsEntries
	if _, _, err := DefaultSettings().Apply(many, Client, off); err != nil {
		t.Error("with the limit off:", err)
	}
}

func TestAppendChanges(t *testing.T) {
	s := DefaultSettings()
	if b := s.AppendChanges(nil, DefaultSettings()); len(b) != frame.HeadLen {
		t.Errorf("%x for no change", b)
	}
	s = Settings{1, 0, 2, 3, 1 << 15, 4}
	b := s.AppendChanges(nil, DefaultSettings())
	f, err := frame.ParseSettings(frame.ParseHead(b), b[frame.HeadLen:])
	if err != nil || f.Len() != 6 {
		t.Fatal(f.Len(), err)
	}
	if got, _, err := DefaultSettings().Apply(f, Client, 32); got != s || err != nil {
		t.Errorf("%+v, %v; want %+v", got, err, s)
	}
}

func TestSettingsAcks(t *testing.T) {
	a := NewSettingsAcks()
	_, _, err := a.Ack()
	wantError(t, err, frame.CodeProtocol, 0)
	first := DefaultSettings()
	first.MaxFrameSize = 1 << 15
	if old, now := a.Send(first); !now || old != DefaultSettings() {
		t.Fatal("the first SETTINGS must go out at once")
	}
	second, third := first, first
	second.InitialWindowSize, third.InitialWindowSize = 1<<17, 1<<18
	for _, s := range []Settings{second, third} {
		if _, now := a.Send(s); now {
			t.Fatal("a second SETTINGS before the acknowledgement of the first")
		}
	}
	if a.Sent() != first {
		t.Fatal("in force before it was sent")
	}
	next, more, err := a.Ack()
	if err != nil || !more || next != third {
		t.Fatalf("%+v %v %v: both changes should go out as one", next, more, err)
	}
	if old, now := a.Send(next); !now || old != first {
		t.Fatal("what waited did not go out")
	}
	if _, more, err = a.Ack(); more || err != nil || a.Sent() != third {
		t.Fatal(more, err)
	}
}
