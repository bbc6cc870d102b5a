package http2

import (
	"math"
	"strconv"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/transport"
)

// start says hello: a client its preface, both their SETTINGS.
func (c *Conn) start() {
	c.mu.Lock()
	b := c.room(256)
	ours := h2.DefaultSettings()
	ours.InitialWindowSize = clamp32(c.cfg.StreamWindow)
	ours.MaxHeaderListSize = clamp32(c.cfg.Limits.HeaderBytes)
	if c.role == h2.Client {
		b = append(b, preface...)
		ours.EnablePush = 0
	} else {
		c.reader.prefaceLeft = preface
		ours.MaxConcurrentStreams = clamp32(c.cfg.Limits.ConcurrentStreams)
	}
	old, _ := c.acks.Send(ours)
	b = ours.AppendChanges(b, old)
	c.armAckTimer()
	if inc := c.recvWindow.Grow(c.cfg.ConnWindow); inc > 0 {
		b = frame.AppendWindowUpdate(b, 0, inc)
	}
	c.out.bytes = b
	if limit := c.cfg.Limits.HandshakeTime; limit > 0 {
		_ = c.nc.SetReadDeadline(time.Now().Add(limit))
	}
	c.readerUp = true
	if c.cfg.Keepalive.WithoutCalls {
		c.keptAliveLocked()
	}
	c.mu.Unlock()
}

func (c *Conn) armAckTimer() {
	if limit := c.cfg.Limits.SettingsTime; limit > 0 {
		c.ackTimer = time.AfterFunc(limit, c.settingsTimeout)
	}
}

// widenLocked gives the connection and its streams, those to come too, larger
// windows. A stream whose window is too small would wait for a round trip when it
// has used it up, and most calls have a stream of their own.
func (c *Conn) widenLocked(size int) {
	if inc := c.recvWindow.Grow(max(size, c.cfg.ConnWindow)); inc > 0 {
		c.out.bytes = frame.AppendWindowUpdate(c.room(frameRoom), 0, inc)
	}
	ours := c.acks.Sent()
	ours.InitialWindowSize = clamp32(size)
	c.sendSettingsLocked(ours)
}

// starvedLocked widens the windows if the receiver of st, who has to wait, has been made
// to by its window: the peer had used it up, and what it has been able to send since came
// too late. A receiver that is slower than its peer never waits, and keeps its window.
func (c *Conn) starvedLocked(st *stream) {
	usedUp := st.usedUp
	st.usedUp = 0
	if usedUp == 0 || st.received-usedUp > int64(st.window.Size()) {
		return
	}
	if size, grown := c.estimator.Starved(); grown {
		c.widenLocked(size)
	}
}

// enlargeLocked lets a peer that has sent so much at a time send large frames. It
// reports whether that must be flushed.
func (c *Conn) enlargeLocked(size int) (told bool) {
	if size < largeSize {
		return false
	}
	ours := c.acks.Sent()
	if ours.MaxFrameSize == maxFrameSize {
		return false
	}
	ours.MaxFrameSize = maxFrameSize
	c.sendSettingsLocked(ours)
	return true
}

// sendSettingsLocked sends SETTINGS, now or when those on their way have been
// acknowledged.
func (c *Conn) sendSettingsLocked(ours h2.Settings) {
	old, now := c.acks.Send(ours)
	if !now || c.err != nil {
		return
	}
	c.out.bytes = ours.AppendChanges(c.room(4*frameRoom), old)
	c.armAckTimer()
	c.frameSize = int(ours.MaxFrameSize)
	// RFC 9113 §6.9.2: the windows of open streams move with the setting.
	c.streamSize = int(ours.InitialWindowSize)
	for st := range c.streams.all() {
		st.window.Grow(c.streamSize)
	}
}

// settingsTimeout ends a connection whose peer does not acknowledge SETTINGS
// (RFC 9113 §6.5.3).
func (c *Conn) settingsTimeout() {
	c.fail(frame.CodeSettingsTimeout, &transport.Error{
		Scope:  transport.ScopeConn,
		Reason: transport.ReasonTimeout,
		Text:   "the peer did not acknowledge SETTINGS within " + c.cfg.Limits.SettingsTime.String(),
	})
}

// clamp32 makes a limit fit a setting; what does not is as good as none.
func clamp32(n int) uint32 {
	if n == math.MaxInt {
		return math.MaxUint32 // switched off, also where an int has 32 bits
	}
	return uint32(min(int64(n), math.MaxUint32))
}

func (c *Conn) receiveSettingsLocked(h frame.Head, payload []byte) error {
	f, err := frame.ParseSettings(h, payload)
	if err != nil {
		return err
	}
	if f.Ack {
		return c.settingsAckedLocked()
	}
	if !c.reader.first {
		if err := c.chargeLocked(h2.ActSettings); err != nil {
			return err
		}
	}
	if c.reader.first {
		c.met = true
		c.peer.MaxConcurrentStreams = h2.DefaultSettings().MaxConcurrentStreams
	}
	peer, changes, err := c.peer.Apply(f, c.role.Peer(), c.cfg.Limits.SettingsEntries)
	if err != nil {
		return err
	}
	c.peer = peer
	// RFC 9113 §6.9.2: windows of open streams move with the setting, below
	// zero if need be.
	if changes.Window != 0 {
		for st := range c.streams.all() {
			if err := st.sendWindow.Shift(changes.Window); err != nil {
				return err
			}
			st.wakeSenderLocked()
			c.creditedLocked(st)
		}
	}
	if changes.HeaderTable {
		c.enc.SetPeerTableSize(changes.LowestHeaderTable)
		c.enc.SetPeerTableSize(peer.HeaderTableSize)
	}
	c.wakeOpeningsLocked()
	c.out.bytes = frame.AppendSettingsAck(c.room(frameRoom))
	c.repliedLocked(frame.HeadLen)
	if c.reader.first {
		c.reader.first = false
		if c.err == nil {
			_ = c.nc.SetReadDeadline(time.Time{})
		}
	}
	return nil
}

func (c *Conn) settingsAckedLocked() error {
	next, more, err := c.acks.Ack()
	if err != nil {
		return err
	}
	if c.ackTimer != nil {
		c.ackTimer.Stop()
		c.ackTimer = nil
	}
	if more {
		c.sendSettingsLocked(next)
	}
	return nil
}

// repliedLocked counts an answer of n bytes that the peer provoked.
func (c *Conn) repliedLocked(n int) {
	c.outReplies.frames++
	c.outReplies.bytes += n
	c.replies.Queue(n, time.Now())
}

// awaitReplies stops reading while the peer does not read what it provokes.
func (c *Conn) awaitReplies() {
	c.mu.Lock()
	deadline, limited := c.replies.Deadline()
	if !c.replies.Paused() || c.err != nil {
		c.mu.Unlock()
		return
	}
	wake := make(chan struct{})
	c.flushWaiters = append(c.flushWaiters, flushWaiter{target: c.queuedLocked(), wake: wake})
	c.mu.Unlock()
	var late <-chan time.Time
	if limited {
		t := time.NewTimer(time.Until(deadline))
		defer t.Stop()
		late = t.C
	}
	select {
	case <-wake:
	case <-late:
		c.fail(frame.CodeEnhanceYourCalm, &transport.Error{
			Scope:  transport.ScopeConn,
			Reason: transport.ReasonTooMuch,
			Text:   "the peer provokes answers and does not read them",
		})
	}
}

func (c *Conn) receivePingLocked(h frame.Head, payload []byte) error {
	f, err := frame.ParsePing(h, payload)
	if err != nil {
		return err
	}
	if !f.Ack {
		if c.role == h2.Server && c.pingPolicy.Ping(c.streams.len() == 0, time.Now()).Calm {
			return &frame.Error{Code: frame.CodeEnhanceYourCalm, Text: h2.TooManyPings}
		}
		c.out.bytes = frame.AppendPing(c.room(frameRoom), true, f.Data)
		c.repliedLocked(frame.HeadLen + len(f.Data))
		return nil
	}
	switch h2.PingKindOf(f.Data) {
	case h2.PingBandwidth:
		if size, grown := c.estimator.Ack(time.Now()); grown {
			c.widenLocked(size)
		}
	case h2.PingDrain:
		c.finalGoAwayLocked()
	}
	return nil
}

// sampleLocked measures the bandwidth-delay product while a stream uses up its
// window: its window limits it then, or soon will. The PING always follows
// received data, which peers that count PINGs allow (gRFC A8).
func (c *Conn) sampleLocked(n int) {
	if c.estimator.Data(n, time.Now) {
		c.out.bytes = frame.AppendPing(c.room(frameRoom), false, h2.PingBandwidth.Data())
	}
}

func (c *Conn) receiveGoAwayLocked(h frame.Head, payload []byte) error {
	f, err := frame.ParseGoAway(h, payload)
	if err != nil {
		return err
	}
	if err := c.goAway.Receive(f, c.role); err != nil {
		return err
	}
	if c.role == h2.Server {
		return nil // the client opens no more streams, which needs no action
	}
	text := "GOAWAY " + f.Code.String()
	if debug := c.goAway.Debug(); debug != "" {
		text += " " + strconv.QuoteToASCII(debug) + c.calmLocked(f.Code, debug)
	}
	reason := reasonOf(f.Code)
	cause := &transport.Error{Scope: transport.ScopeConn, Initiator: transport.Peer, Reason: reason, Text: text}
	if c.draining == nil {
		c.draining = cause
		c.drainNewsLocked()
	}
	for st := range c.streams.all() {
		if c.goAway.Unprocessed(st.id) {
			e := *cause
			e.Unprocessed, e.Sent = true, true
			c.endEarlyLocked(st, &e)
		}
	}
	c.wakeOpeningsLocked()
	if c.streams.len() == 0 {
		c.drainedLocked()
	}
	return nil
}

// drainNewsLocked tells the connection's owner that it takes no new streams.
func (c *Conn) drainNewsLocked() {
	if c.events == nil {
		return
	}
	if c.turn {
		c.drainNews = true
		return
	}
	go c.events.ConnDraining(c, c.draining) // ends when the owner has taken note
}

// Drain implements [transport.Conn].
func (c *Conn) Drain() {
	c.mu.Lock()
	c.startDrainLocked(&transport.Error{
		Scope:     transport.ScopeConn,
		Initiator: transport.User,
		Reason:    transport.ReasonNone,
		Text:      "the connection is draining",
	})
	c.flush()
}

// startDrainLocked stops new streams. A server does it in two steps (RFC 9113
// §6.8): streams that are on their way when the first GOAWAY leaves are still
// served.
func (c *Conn) startDrainLocked(why *transport.Error) {
	if c.draining != nil {
		return
	}
	c.draining = why
	c.resumeLocked()
	if c.role == h2.Client {
		c.wakeOpeningsLocked()
		if c.streams.len() == 0 {
			c.drainedLocked()
		}
		return
	}
	last, _ := c.goAway.Announce()
	c.out.bytes = frame.AppendGoAway(c.room(2*frameRoom), last, frame.CodeNo, nil)
	c.out.bytes = frame.AppendPing(c.room(frameRoom), false, h2.PingDrain.Data())
	c.drainTimer = time.AfterFunc(drainPingTime, c.drainTimeout)
}

func (c *Conn) drainTimeout() {
	c.mu.Lock()
	c.finalGoAwayLocked()
	c.flush()
}

// finalGoAwayLocked is the second step: streams beyond those seen by now are
// not served.
func (c *Conn) finalGoAwayLocked() {
	if c.err != nil || c.draining == nil || c.drainTimer == nil {
		return
	}
	c.drainTimer.Stop()
	c.drainTimer = nil
	last := c.goAway.Finish(c.ids.HighestRemote())
	c.out.bytes = frame.AppendGoAway(c.room(frameRoom), last, frame.CodeNo, nil)
	if c.streams.len() == 0 {
		c.drainedLocked()
	}
}

// drainedLocked closes a draining connection whose last stream has ended.
func (c *Conn) drainedLocked() {
	if c.drainTimer != nil {
		return // the final GOAWAY is still to come
	}
	c.failLocked(frame.CodeNo, c.draining)
}
