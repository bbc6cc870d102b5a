package yodel

import (
	"context"
	"iter"
	"log/slog"
	"strconv"

	"github.com/yodelrpc/yodel/transport"
)

// State is what a channel is doing about its connection
// (https://github.com/grpc/grpc/blob/master/doc/connectivity-semantics-and-api.md).
type State uint8

const (
	// Idle has no connection and makes none until a call needs one.
	Idle State = iota
	// Connecting makes the first attempt; calls wait.
	Connecting
	// Ready has a connection.
	Ready
	// TransientFailure could not connect. It tries again on its own, with
	// growing pauses, and until that succeeds calls fail at once.
	TransientFailure
	// Shutdown is closed.
	Shutdown
)

var stateNames = [...]string{
	Idle: "IDLE", Connecting: "CONNECTING", Ready: "READY",
	TransientFailure: "TRANSIENT_FAILURE", Shutdown: "SHUTDOWN",
}

// String returns the state's name as the gRPC documents spell it.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "STATE(" + strconv.Itoa(int(s)) + ")"
}

// snapshot is everything that a call needs to know of its channel. It is
// replaced as a whole, so calls read it without a lock.
type snapshot struct {
	state State
	// conn takes new streams: in Ready, and in Connecting those of calls that may
	// fail with it.
	conn transport.Conn
	// err is the last failure to connect, or why the last connection ended.
	err error
	// changed is nil until somebody waits; see Channel.changed. Channel.mu guards it.
	changed chan struct{}
}

// changed returns what is closed when another snapshot has replaced s.
func (c *Channel) changed(s *snapshot) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
		if c.snap.Load() != s {
			close(s.changed)
		}
	}
	return s.changed
}

// State returns the channel's state. It does not make it connect.
func (c *Channel) State() State { return c.snap.Load().state }

// States yields the channel's state, and then each new one, until ctx ends or
// the loop does; Shutdown is the last. A state that lasts for less than the
// loop's body takes may be left out. Watching does not make the channel
// connect.
func (c *Channel) States(ctx context.Context) iter.Seq[State] {
	return func(yield func(State) bool) {
		last := State(255)
		for {
			s := c.snap.Load()
			if s.state != last && !yield(s.state) {
				return
			}
			last = s.state
			if last == Shutdown {
				return
			}
			select {
			case <-c.changed(s):
			case <-ctx.Done():
				return
			}
		}
	}
}

// setLocked replaces the snapshot. It is called with c.mu.
func (c *Channel) setLocked(next snapshot) {
	old := c.snap.Load()
	c.snap.Store(&next)
	if old.changed != nil {
		close(old.changed)
	}
	if old.state != next.state && c.log != nil {
		c.transitions = append(c.transitions, transition{old.state, next.state, next.err})
	}
}

// transition is a change of state that is to be logged.
type transition struct {
	from, to State
	err      error
}

// unlock gives c.mu up and logs what has changed under it: a log handler is the
// program's code, and that does not run under a lock.
func (c *Channel) unlock() {
	transitions := c.transitions
	c.transitions = nil
	c.mu.Unlock()
	for _, t := range transitions {
		level := slog.LevelInfo
		if t.to == TransientFailure {
			level = slog.LevelWarn
		}
		c.log.LogAttrs(context.Background(), level, "channel state", slog.String("target", c.target.text),
			slog.String("from", t.from.String()), slog.String("to", t.to.String()), slog.Any("cause", t.err))
	}
}
