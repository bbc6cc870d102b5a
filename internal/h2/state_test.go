package h2

import (
	"errors"
	"strings"
	"testing"

	"github.com/yodelrpc/yodel/internal/frame"
)

// wantError checks code and scope: a stream's error where the RFC wants the
// connection's, or the other way round, is what would break.
func wantError(t *testing.T, err error, code frame.Code, id uint32) {
	t.Helper()
	var e *frame.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want %v", err, code)
	}
	if e.Code != code || e.StreamID != id {
		t.Fatalf("%v, want %v on stream %d", err, code, id)
	}
}

type event struct {
	name string
	do   func(State) (State, error)
}

var events = []event{
	{"send HEADERS", func(s State) (State, error) { return s.SendHeaders(1, false) }},
	{"send HEADERS end", func(s State) (State, error) { return s.SendHeaders(1, true) }},
	{"send DATA", func(s State) (State, error) { return s.SendData(1, false) }},
	{"send DATA end", func(s State) (State, error) { return s.SendData(1, true) }},
	{"recv HEADERS", func(s State) (State, error) { return s.RecvHeaders(1, false) }},
	{"recv HEADERS end", func(s State) (State, error) { return s.RecvHeaders(1, true) }},
	{"recv DATA", func(s State) (State, error) { return s.RecvData(1, false) }},
	{"recv DATA end", func(s State) (State, error) { return s.RecvData(1, true) }},
}

// Every event in every state. P is a connection error PROTOCOL_ERROR, C a stream
// error STREAM_CLOSED, I our own mistake.
func TestStateTable(t *testing.T) {
	const stateError = 100
	const P, C, I = stateError, stateError + 1, stateError + 2
	want := map[State][]State{
		// sent: HEADERS, with END_STREAM, DATA, with END_STREAM; received: the same
		Idle:             {Open, HalfClosedLocal, I, I, Open, HalfClosedRemote, P, P},
		Open:             {Open, HalfClosedLocal, Open, HalfClosedLocal, Open, HalfClosedRemote, Open, HalfClosedRemote},
		HalfClosedLocal:  {I, I, I, I, HalfClosedLocal, Closed, HalfClosedLocal, Closed},
		HalfClosedRemote: {HalfClosedRemote, Closed, HalfClosedRemote, Closed, C, C, C, C},
		Closed:           {I, I, I, I, C, C, C, C},
	}
	for from, row := range want {
		for i, e := range events {
			t.Run(from.String()+"/"+e.name, func(t *testing.T) {
				got, err := e.do(from)
				if row[i] < stateError {
					if err != nil || got != row[i] {
						t.Fatalf("%v, %v; want %v", got, err, row[i])
					}
					return
				}
				if got != from {
					t.Errorf("an event that is not allowed led to %v", got)
				}
				code, id := frame.CodeProtocol, uint32(0)
				switch row[i] {
				case C:
					code, id = frame.CodeStreamClosed, 1
				case I:
					code, id = frame.CodeInternal, 1
				}
				wantError(t, err, code, id)
				if !strings.Contains(err.Error(), from.String()) || !strings.Contains(err.Error(), strings.Fields(e.name)[1]) {
					t.Errorf("%q names neither state nor event", err)
				}
			})
		}
	}
}

// The questions agree with the events.
func TestStateQueries(t *testing.T) {
	for s := Idle; s <= Closed; s++ {
		if _, err := s.SendData(1, false); s.CanSend() != (err == nil) {
			t.Errorf("%v: CanSend %v, SendData %v", s, s.CanSend(), err)
		}
		if _, err := s.RecvData(1, false); s.CanReceive() != (err == nil) {
			t.Errorf("%v: CanReceive %v, RecvData %v", s, s.CanReceive(), err)
		}
	}
}
