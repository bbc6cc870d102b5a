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
	{"send RST_STREAM", func(s State) (State, error) { return s.SendReset(1) }},
	{"recv HEADERS", func(s State) (State, error) { return s.RecvHeaders(1, false) }},
	{"recv HEADERS end", func(s State) (State, error) { return s.RecvHeaders(1, true) }},
	{"recv DATA", func(s State) (State, error) { return s.RecvData(1, false) }},
	{"recv DATA end", func(s State) (State, error) { return s.RecvData(1, true) }},
	{"recv RST_STREAM", func(s State) (State, error) { return s.RecvReset(1) }},
	{"recv WINDOW_UPDATE", func(s State) (State, error) { return s, s.RecvWindowUpdate(1) }},
}

// Every event in every state. P is a connection error PROTOCOL_ERROR, C a stream
// error STREAM_CLOSED, I our own mistake.
func TestStateTable(t *testing.T) {
	const stateError = 100
	const P, C, I = stateError, stateError + 1, stateError + 2
	want := map[State][]State{
		//                 sH                sHe               sD   sDe               sR      rH                rHe               rD   rDe               rR      rW
		Idle:             {Open, HalfClosedLocal, I, I, I, Open, HalfClosedRemote, P, P, P, P},
		Open:             {Open, HalfClosedLocal, Open, HalfClosedLocal, Closed, Open, HalfClosedRemote, Open, HalfClosedRemote, Closed, Open},
		HalfClosedLocal:  {I, I, I, I, Closed, HalfClosedLocal, Closed, HalfClosedLocal, Closed, Closed, HalfClosedLocal},
		HalfClosedRemote: {HalfClosedRemote, Closed, HalfClosedRemote, Closed, Closed, C, C, C, C, Closed, HalfClosedRemote},
		Closed:           {I, I, I, I, Closed, C, C, C, C, Closed, Closed},
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
		if want := s != Idle && s != Closed; s.CanReset() != want {
			t.Errorf("%v: CanReset %v", s, !want)
		}
	}
}
