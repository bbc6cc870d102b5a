package http2

import (
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/transport"
)

// judgeLocked keeps a rule that was broken on one stream from ending the connection:
// it resets the stream, and returns every other error.
func (c *Conn) judgeLocked(err error) error {
	if err == nil {
		return nil
	}
	if te, fe := fromFrame(err); fe.StreamID != 0 {
		return c.streamFaultLocked(fe, te)
	}
	return err
}

// receiveLocked handles one complete frame. An error without a stream id ends
// the connection.
func (c *Conn) receiveLocked(h frame.Head, payload []byte) error {
	switch h.Type {
	case frame.TypeData:
		c.frames++
		d, err := frame.ParseData(h, payload)
		if err != nil {
			return err
		}
		return c.receiveDataLocked(h.StreamID, d.Data, d.Flow, d.EndStream)
	case frame.TypeHeaders:
		return c.receiveHeadersLocked(h, payload)
	case frame.TypeContinuation:
		return c.receiveContinuationLocked(h, payload)
	case frame.TypeRSTStream:
		return c.receiveResetLocked(h, payload)
	case frame.TypeSettings:
		return c.receiveSettingsLocked(h, payload)
	case frame.TypePing:
		return c.receivePingLocked(h, payload)
	case frame.TypeGoAway:
		return c.receiveGoAwayLocked(h, payload)
	case frame.TypeWindowUpdate:
		return c.receiveWindowUpdateLocked(h, payload)
	case frame.TypePriority:
		// RFC 9113 §5.3.2: deprecated, checked for its form and ignored.
		if _, err := frame.ParsePriority(h, payload); err != nil {
			return err
		}
		return c.chargeLocked(h2.ActPriority)
	case frame.TypePushPromise:
		// RFC 9113 §8.4: push is off, in both directions.
		return &frame.Error{Code: frame.CodeProtocol, Text: "PUSH_PROMISE although push is disabled"}
	default:
		// RFC 9113 §5.5: unknown frames are ignored.
		return c.chargeLocked(h2.ActUnknownFrame)
	}
}

// streamFaultLocked resets a stream for a rule that the peer broke. Resets that a
// peer provokes cost it as much as those that it sends (CVE-2025-8671).
func (c *Conn) streamFaultLocked(fe *frame.Error, te *transport.Error) error {
	if st := c.findLocked(fe.StreamID); st != nil {
		te.Sent = true
		c.resetStreamLocked(st, fe.Code)
		c.endEarlyLocked(st, te)
	} else if c.ids.IsIdle(fe.StreamID) {
		// RFC 9113 §6.4: RST_STREAM must not name an idle stream.
		return &frame.Error{Code: fe.Code, Text: fe.Text}
	} else {
		c.appendReset(fe.StreamID, fe.Code)
	}
	c.repliedLocked(frameRoom)
	return c.chargeLocked(h2.ActProvokedReset)
}

// chargeLocked takes the cost of a wasteful act from the connection's budget.
func (c *Conn) chargeLocked(act h2.Act) error {
	now := time.Now()
	if c.budget == nil {
		budget := h2.NewBudget(c.cfg.Limits, now)
		c.budget = &budget
	}
	verdict := c.budget.Charge(act, now)
	if verdict.Calm {
		return &frame.Error{Code: frame.CodeEnhanceYourCalm, Text: "the peer does too much to no use: " + act.String()}
	}
	if verdict.Pace > 0 {
		c.reader.pause = max(c.reader.pause, verdict.Pace, c.offenders.pace(now))
	}
	return nil
}

func (c *Conn) receiveDataLocked(id uint32, data []byte, flow int, end bool) error {
	if len(data) == 0 && !end {
		if err := c.chargeLocked(h2.ActEmptyData); err != nil {
			return err
		}
	}
	// The connection's window pays for every byte, whatever becomes of it, and
	// gets it back (RFC 9113 §6.9).
	if err := c.recvWindow.Receive(0, flow); err != nil {
		return err
	}
	c.newsLocked()
	st := c.findLocked(id)
	if st == nil {
		c.creditLocked()
		return c.ids.Missing(frame.TypeData, id)
	}
	if err := c.acceptDataLocked(st, data, flow, end); err != nil {
		c.creditLocked()
		return err
	}
	return nil
}

// acceptDataLocked adds data to what the stream has buffered.
func (c *Conn) acceptDataLocked(st *stream, data []byte, flow int, end bool) error {
	state, err := st.state.RecvData(st.id, end)
	if err != nil {
		return err
	}
	if !st.gotHeader {
		return &frame.Error{Code: frame.CodeProtocol, StreamID: st.id, Text: "DATA before the header section"}
	}
	if err := st.window.Receive(st.id, flow); err != nil {
		return err
	}
	st.received += int64(len(data))
	if st.window.UsedUp() {
		st.usedUp = st.received
	}
	if st.contentLength >= 0 && (st.received > st.contentLength || (end && st.received < st.contentLength)) {
		return &frame.Error{Code: frame.CodeProtocol, StreamID: st.id, Text: "DATA does not add up to content-length (RFC 9113 §8.1.1)"}
	}
	st.state = state
	if padding := flow - len(data); padding > 0 {
		c.updateLocked(st, st.window.Release(padding))
	}
	if len(data) > 0 {
		c.bufferLocked(st, data)
	}
	c.readNoteLocked(st.handle, st)
	// Bytes that somebody waits for are as good as read. The others count
	// against MaxUnread until they are read.
	if !st.sleeping {
		st.unread += len(data)
		c.unread += len(data)
	}
	c.creditLocked()
	c.sampleLocked(flow)
	if end {
		c.endedLocked(st)
		return nil
	}
	if st.sleeping && st.demand != nil {
		buffered := st.buf[st.off:]
		if len(buffered) >= st.need {
			if need := st.demand(buffered); len(buffered) < need {
				c.demandLocked(st, need)
				return nil
			}
			c.passLocked(st)
			c.wakeLater(st)
			return nil
		}
		c.demandLocked(st, st.need)
	}
	return nil
}

// endedLocked notes that the peer has sent everything.
func (c *Conn) endedLocked(st *stream) {
	c.readNoteLocked(st.handle, st)
	st.ended = true
	if st.state == h2.Closed {
		c.forgetLocked(st)
	}
	if st.awaitsEnd && st.sleeping && st.demand != nil {
		c.deliverLocked(st)
	}
	c.wakeLater(st)
	if c.role == h2.Client {
		st.wakeSenderLocked()
	}
}

// wakeLater wakes the stream's receiver at the end of the turn.
func (c *Conn) wakeLater(st *stream) {
	if c.awakeLocked(st) {
		if st.returning {
			c.reader.returns = append(c.reader.returns, st.wake)
		} else {
			c.reader.wakes = append(c.reader.wakes, st.wake)
			if given := st.handle.given.Load(); given != theEnd {
				st.resuming = given == nothing
				c.wave.resuming.Add(1)
			}
		}
		c.reader.woken++
		c.reader.comesBack = (c.role == h2.Client || st.slept >= provenSleeps) && !st.bulk()
	}
}

func (c *Conn) receiveResetLocked(h frame.Head, payload []byte) error {
	f, err := frame.ParseRSTStream(h, payload)
	if err != nil {
		return err
	}
	st := c.findLocked(h.StreamID)
	if st == nil {
		return c.ids.Missing(frame.TypeRSTStream, h.StreamID)
	}
	early := c.role == h2.Server && !st.sentHeader
	reason := reasonOf(f.Code)
	c.endEarlyLocked(st, &transport.Error{
		Initiator:   transport.Peer,
		Reason:      reason,
		Unprocessed: reason == transport.ReasonRefused && !st.gotHeader,
		Sent:        true,
		Text:        "RST_STREAM " + f.Code.String(),
	})
	if early {
		// CVE-2023-44487: work that is asked for and taken back at once.
		return c.chargeLocked(h2.ActReset)
	}
	return nil
}

func (c *Conn) receiveWindowUpdateLocked(h frame.Head, payload []byte) error {
	f, err := frame.ParseWindowUpdate(h, payload)
	if err != nil {
		return err
	}
	if h.StreamID == 0 {
		if err := c.sendWindow.Add(0, f.Increment); err != nil {
			return err
		}
		c.unblockLocked()
		c.unstickLocked()
		return nil
	}
	st := c.findLocked(h.StreamID)
	if st == nil {
		return c.ids.Missing(frame.TypeWindowUpdate, h.StreamID)
	}
	if err := st.sendWindow.Add(st.id, f.Increment); err != nil {
		return err
	}
	st.wakeSenderLocked()
	c.creditedLocked(st)
	return nil
}
