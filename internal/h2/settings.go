package h2

import (
	"math"
	"strconv"

	"github.com/yodelrpc/yodel/internal/frame"
)

// Settings is what one end has told the other (RFC 9113 §6.5.2).
type Settings struct {
	// HeaderTableSize is the HPACK table in bytes that the sender's decoder
	// allows.
	HeaderTableSize uint32
	// EnablePush is 0 or 1.
	EnablePush uint32
	// MaxConcurrentStreams is how many streams the other end may open.
	MaxConcurrentStreams uint32
	// InitialWindowSize is the window in bytes of each new stream.
	InitialWindowSize uint32
	// MaxFrameSize is the longest payload in bytes that the sender accepts.
	MaxFrameSize uint32
	// MaxHeaderListSize is the largest header section in bytes that it
	// accepts, 32 bytes a field included.
	MaxHeaderListSize uint32
}

// DefaultHeaderTableSize is SETTINGS_HEADER_TABLE_SIZE before it is set.
const DefaultHeaderTableSize = 4096

// DefaultSettings is what holds before the first SETTINGS. What has no limit is
// the highest number.
func DefaultSettings() Settings {
	return Settings{
		HeaderTableSize:      DefaultHeaderTableSize,
		EnablePush:           1,
		MaxConcurrentStreams: math.MaxUint32,
		InitialWindowSize:    InitialWindow,
		MaxFrameSize:         frame.MinMaxFrameSize,
		MaxHeaderListSize:    math.MaxUint32,
	}
}

// Changes is what a SETTINGS frame changed.
type Changes struct {
	// Window is by how much every stream's SendWindow must Shift.
	Window int64
	// HeaderTable says that the frame named HEADER_TABLE_SIZE. The next header
	// block must then start with a size update to LowestHeaderTable, if the
	// table in use is larger, and with one to the new size (RFC 7541 §4.2).
	HeaderTable       bool
	LowestHeaderTable uint32
}

// Apply returns s after the peer, which is from, sent f. Every value is checked
// before any takes effect, and unknown settings are ignored (RFC 9113 §6.5.2).
// A frame of more than maxEntries entries, which is Limits.SettingsEntries, ends
// the connection.
func (s Settings) Apply(f frame.Settings, from Role, maxEntries int) (Settings, Changes, error) {
	n := f.Len()
	if n > maxEntries {
		return s, Changes{}, connectionError(frame.CodeEnhanceYourCalm, "SETTINGS of "+strconv.Itoa(n)+
			" entries; at most "+strconv.Itoa(maxEntries)+" are accepted")
	}
	changed := s
	c := Changes{LowestHeaderTable: math.MaxUint32}
	for i := range n {
		entry := f.At(i)
		if err := checkSetting(entry, from); err != nil {
			return s, Changes{}, err
		}
		switch entry.ID {
		case frame.SettingHeaderTableSize:
			changed.HeaderTableSize = entry.Value
			c.HeaderTable = true
			c.LowestHeaderTable = min(c.LowestHeaderTable, entry.Value)
		case frame.SettingEnablePush:
			changed.EnablePush = entry.Value
		case frame.SettingMaxConcurrentStreams:
			changed.MaxConcurrentStreams = entry.Value
		case frame.SettingInitialWindowSize:
			changed.InitialWindowSize = entry.Value
		case frame.SettingMaxFrameSize:
			changed.MaxFrameSize = entry.Value
		case frame.SettingMaxHeaderListSize:
			changed.MaxHeaderListSize = entry.Value
		}
	}
	if !c.HeaderTable {
		c.LowestHeaderTable = 0
	}
	c.Window = int64(changed.InitialWindowSize) - int64(s.InitialWindowSize)
	return changed, c, nil
}

// checkSetting is RFC 9113 §6.5.2.
func checkSetting(s frame.Setting, from Role) error {
	code := frame.CodeProtocol
	switch s.ID {
	case frame.SettingEnablePush:
		if s.Value == 0 || s.Value == 1 && from == Client {
			return nil
		}
	case frame.SettingInitialWindowSize:
		if s.Value <= MaxWindow {
			return nil
		}
		code = frame.CodeFlowControl
	case frame.SettingMaxFrameSize:
		if s.Value >= frame.MinMaxFrameSize && s.Value <= frame.MaxMaxFrameSize {
			return nil
		}
	default:
		return nil
	}
	return connectionError(code, s.ID.String()+" of "+strconv.FormatUint(uint64(s.Value), 10)+" from a "+from.String())
}

// AppendChanges appends a SETTINGS frame that tells a peer who knows old of s:
// only what differs. There is no difference to the wire between a setting
// without a limit and its highest value.
func (s Settings) AppendChanges(dst []byte, old Settings) []byte {
	var entries [6]frame.Setting
	n := 0
	add := func(id frame.SettingID, value, known uint32) {
		if value != known {
			entries[n] = frame.Setting{ID: id, Value: value}
			n++
		}
	}
	add(frame.SettingHeaderTableSize, s.HeaderTableSize, old.HeaderTableSize)
	add(frame.SettingEnablePush, s.EnablePush, old.EnablePush)
	add(frame.SettingMaxConcurrentStreams, s.MaxConcurrentStreams, old.MaxConcurrentStreams)
	add(frame.SettingInitialWindowSize, s.InitialWindowSize, old.InitialWindowSize)
	add(frame.SettingMaxFrameSize, s.MaxFrameSize, old.MaxFrameSize)
	add(frame.SettingMaxHeaderListSize, s.MaxHeaderListSize, old.MaxHeaderListSize)
	return frame.AppendSettings(dst, entries[:n]...)
}
