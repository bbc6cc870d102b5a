package h2

import "github.com/yodelrpc/yodel/internal/frame"

// SettingsAcks keeps what we have told the peer, and what of it the peer has
// acknowledged. One SETTINGS frame is on its way at a time; what changes
// meanwhile goes out together after its acknowledgement.
type SettingsAcks struct {
	sent, wanted         Settings
	outstanding, waiting bool
}

// NewSettingsAcks returns the state of a fresh connection.
func NewSettingsAcks() SettingsAcks {
	d := DefaultSettings()
	return SettingsAcks{sent: d, wanted: d}
}

// Send says that s is to be told to the peer. If now is true, append it with
// s.AppendChanges(dst, old), even if nothing differs; else it waits.
func (a *SettingsAcks) Send(s Settings) (old Settings, now bool) {
	a.wanted = s
	if a.outstanding {
		a.waiting = true
		return Settings{}, false
	}
	old, a.sent = a.sent, s
	a.outstanding = true
	return old, true
}

// Ack is an acknowledgement. If more is true, call Send again with next.
func (a *SettingsAcks) Ack() (next Settings, more bool, err error) {
	if !a.outstanding {
		return Settings{}, false, connectionError(frame.CodeProtocol, "SETTINGS acknowledged that were not sent")
	}
	a.outstanding = false
	more, a.waiting = a.waiting, false
	return a.wanted, more && a.wanted != a.sent, nil
}

// Sent is what the peer goes by now or soon. Before the acknowledgement it may
// go by what was sent before still, so accept what either allows.
func (a *SettingsAcks) Sent() Settings { return a.sent }
