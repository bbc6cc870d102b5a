package frame

import (
	"encoding/binary"
	"strconv"
)

// SettingID names a setting (RFC 9113 §6.5.2). Unknown ones must be ignored.
type SettingID uint16

// The settings of RFC 9113, and two of its extensions (RFC 8441, RFC 9218).
const (
	SettingHeaderTableSize       SettingID = 0x01
	SettingEnablePush            SettingID = 0x02
	SettingMaxConcurrentStreams  SettingID = 0x03
	SettingInitialWindowSize     SettingID = 0x04
	SettingMaxFrameSize          SettingID = 0x05
	SettingMaxHeaderListSize     SettingID = 0x06
	SettingEnableConnectProtocol SettingID = 0x08
	SettingNoRFC7540Priorities   SettingID = 0x09
)

// String returns the RFC's name, or UNKNOWN_SETTING_ and the number.
func (id SettingID) String() string {
	switch id {
	case SettingHeaderTableSize:
		return "SETTINGS_HEADER_TABLE_SIZE"
	case SettingEnablePush:
		return "SETTINGS_ENABLE_PUSH"
	case SettingMaxConcurrentStreams:
		return "SETTINGS_MAX_CONCURRENT_STREAMS"
	case SettingInitialWindowSize:
		return "SETTINGS_INITIAL_WINDOW_SIZE"
	case SettingMaxFrameSize:
		return "SETTINGS_MAX_FRAME_SIZE"
	case SettingMaxHeaderListSize:
		return "SETTINGS_MAX_HEADER_LIST_SIZE"
	case SettingEnableConnectProtocol:
		return "SETTINGS_ENABLE_CONNECT_PROTOCOL"
	case SettingNoRFC7540Priorities:
		return "SETTINGS_NO_RFC7540_PRIORITIES"
	}
	return "UNKNOWN_SETTING_" + strconv.Itoa(int(id))
}

const settingLen = 6

// Setting is one entry of a SETTINGS frame. Its value has not been checked.
type Setting struct {
	ID    SettingID
	Value uint32
}

// Settings is a SETTINGS frame (RFC 9113 §6.5).
type Settings struct {
	// Ack says that the peer has applied the settings that we sent.
	Ack bool
	// entries is the payload, a whole number of settings.
	entries []byte
}

// Len returns the number of entries.
func (s Settings) Len() int { return len(s.entries) / settingLen }

// At returns entry i, counted from 0. Entries apply in order; a later one
// replaces an earlier one of the same ID (RFC 9113 §6.5.3).
func (s Settings) At(i int) Setting {
	b := s.entries[i*settingLen:][:settingLen]
	return Setting{ID: SettingID(binary.BigEndian.Uint16(b)), Value: binary.BigEndian.Uint32(b[2:])}
}

// ParseSettings parses a SETTINGS frame's payload. Values are not checked here.
// All errors are connection errors.
func ParseSettings(h Head, payload []byte) (Settings, error) {
	if err := needConnection(h); err != nil {
		return Settings{}, err
	}
	if h.Has(FlagAck) {
		if len(payload) != 0 {
			return Settings{}, wrongLength(h.Type, len(payload), "0 with the ACK flag")
		}
		return Settings{Ack: true}, nil
	}
	if len(payload)%settingLen != 0 {
		return Settings{}, wrongLength(h.Type, len(payload), "a multiple of 6")
	}
	return Settings{entries: payload}, nil
}

// AppendSettings appends a SETTINGS frame.
func AppendSettings(dst []byte, settings ...Setting) []byte {
	dst = AppendHead(dst, Head{Length: len(settings) * settingLen, Type: TypeSettings})
	for _, s := range settings {
		dst = binary.BigEndian.AppendUint16(dst, uint16(s.ID))
		dst = binary.BigEndian.AppendUint32(dst, s.Value)
	}
	return dst
}

// AppendSettingsAck appends the acknowledgement of a SETTINGS frame.
func AppendSettingsAck(dst []byte) []byte {
	return AppendHead(dst, Head{Type: TypeSettings, Flags: FlagAck})
}
