package h2

import (
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
)

// SettingsAcks keeps what we have told the peer, and what of it the peer has
// acknowledged. One SETTINGS frame is on its way at a time; what changes
// meanwhile goes out together after its acknowledgement.
type SettingsAcks struct {
	patience             time.Duration
	acked, sent, wanted  Settings
	deadline             time.Time
	outstanding, waiting bool
}

// NewSettingsAcks returns the state of a fresh connection, on which the peer has
// patience (Limits.SettingsTime) to acknowledge.
func NewSettingsAcks(patience time.Duration) SettingsAcks {
	d := DefaultSettings()
	return SettingsAcks{patience: patience, acked: d, sent: d, wanted: d}
}

// Send says that s is to be told to the peer. If now is true, append it with
// s.AppendChanges(dst, old), even if nothing differs; else it waits.
func (a *SettingsAcks) Send(s Settings, at time.Time) (old Settings, now bool) {
	a.wanted = s
	if a.outstanding {
		a.waiting = true
		return Settings{}, false
	}
	old, a.sent = a.sent, s
	a.outstanding = true
	a.deadline = at.Add(a.patience)
	return old, true
}

// Ack is an acknowledgement. If more is true, call Send again with next.
func (a *SettingsAcks) Ack() (next Settings, more bool, err error) {
	if !a.outstanding {
		return Settings{}, false, connectionError(frame.CodeProtocol, "SETTINGS acknowledged that were not sent")
	}
	a.outstanding = false
	a.acked = a.sent
	more, a.waiting = a.waiting, false
	return a.wanted, more && a.wanted != a.sent, nil
}

// Acked is what the peer is known to go by.
func (a *SettingsAcks) Acked() Settings { return a.acked }

// Sent is what the peer goes by now or soon. Before the acknowledgement it may
// go by Acked still, so accept what either allows.
func (a *SettingsAcks) Sent() Settings { return a.sent }

// Deadline is when Check fails; false when nothing is on its way.
func (a *SettingsAcks) Deadline() (time.Time, bool) {
	return a.deadline, a.outstanding && !isOff(a.patience)
}

// Check fails when the peer took too long (RFC 9113 §6.5.3).
func (a *SettingsAcks) Check(now time.Time) error {
	if at, ok := a.Deadline(); ok && !now.Before(at) {
		return connectionError(frame.CodeSettingsTimeout, "SETTINGS not acknowledged within "+a.patience.String())
	}
	return nil
}
