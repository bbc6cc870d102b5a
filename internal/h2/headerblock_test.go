package h2

import (
	"bytes"
	"testing"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
)

func TestHeaderBlockInOneFrame(t *testing.T) {
	b := NewHeaderBlock(Limits{}.Resolve(Server))
	fragment := []byte("block")
	got, complete, err := b.Start(1, frame.Headers{Fragment: fragment, EndHeaders: true}, start)
	if err != nil || !complete || &got[0] != &fragment[0] {
		t.Errorf("%q %v %v: want the frame's own memory", got, complete, err)
	}
	if allocs := testing.AllocsPerRun(100, func() {
		_, _, _ = b.Start(1, frame.Headers{Fragment: fragment, EndHeaders: true}, start)
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestHeaderBlockInMany(t *testing.T) {
	b := NewHeaderBlock(Limits{}.Resolve(Server))
	memory := []byte("ab")
	if _, complete, err := b.Start(3, frame.Headers{Fragment: memory, EndStream: true}, start); complete || err != nil {
		t.Fatal(complete, err)
	}
	memory[0] = 'x' // the frame's memory is used again
	if _, complete, err := b.Continue(frame.Continuation{}); complete || err != nil {
		t.Fatal(complete, err)
	}
	got, complete, err := b.Continue(frame.Continuation{Fragment: []byte("cd"), EndHeaders: true})
	if err != nil || !complete || string(got) != "abcd" {
		t.Fatalf("%q %v %v", got, complete, err)
	}
	if id, end := b.Stream(); id != 3 || !end {
		t.Error(id, end)
	}
	if _, ok := b.Deadline(); ok {
		t.Error("a deadline for a complete block")
	}
	b.Drop()
	if b.buf != nil {
		t.Error("memory is kept")
	}
}

// RFC 9113 §6.10: nothing comes between the frames of a block.
func TestHeaderBlockOrder(t *testing.T) {
	b := NewHeaderBlock(Limits{}.Resolve(Server))
	wantError(t, b.Check(frame.Head{Type: frame.TypeContinuation, StreamID: 1}), frame.CodeProtocol, 0)
	for typ := range 256 {
		if frame.Type(typ) == frame.TypeContinuation {
			continue
		}
		if err := b.Check(frame.Head{Type: frame.Type(typ), StreamID: 1}); err != nil {
			t.Errorf("%v between blocks: %v", frame.Type(typ), err)
		}
	}
	_, _, _ = b.Start(1, frame.Headers{}, start)
	for typ := range 256 {
		h := frame.Head{Type: frame.Type(typ), StreamID: 1}
		if h.Type == frame.TypeContinuation {
			h.StreamID = 3
		}
		wantError(t, b.Check(h), frame.CodeProtocol, 0)
	}
	if err := b.Check(frame.Head{Type: frame.TypeContinuation, StreamID: 1}); err != nil {
		t.Error(err)
	}
}

// flood continues a block n times with size bytes each.
func flood(l Limits, n, size int) error {
	b := NewHeaderBlock(l.Resolve(Server))
	if _, _, err := b.Start(1, frame.Headers{Fragment: []byte{0x82}}, start); err != nil {
		return err
	}
	for range n {
		if _, _, err := b.Continue(frame.Continuation{Fragment: bytes.Repeat([]byte{0x82}, size)}); err != nil {
			return err
		}
	}
	return nil
}

// CONTINUATION floods (R3): each limit by itself, at it, above it, and off.
func TestHeaderBlockLimits(t *testing.T) {
	for _, tt := range []struct {
		name    string
		n, size int
		off     Limits
	}{
		{"frames", DefaultContinuations, 1, Limits{Continuations: -1}},
		{"empty frames", DefaultEmptyContinuations, 0, Limits{EmptyContinuations: -1}},
		{"bytes", 7, 9362, Limits{HeaderBlockBytes: -1}}, // 65,535 with the first
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := flood(Limits{}, tt.n, tt.size); err != nil {
				t.Fatal("at the limit:", err)
			}
			wantError(t, flood(Limits{}, tt.n+1, tt.size), frame.CodeEnhanceYourCalm, 0)
			if err := flood(tt.off, tt.n+1, tt.size); err != nil {
				t.Error("with the limit off:", err)
			}
		})
	}
	b := NewHeaderBlock(Limits{HeaderBlockBytes: 10}.Resolve(Server))
	_, _, err := b.Start(1, frame.Headers{Fragment: make([]byte, 11), EndHeaders: true}, start)
	wantError(t, err, frame.CodeEnhanceYourCalm, 0)
}

func TestHeaderBlockTime(t *testing.T) {
	b := NewHeaderBlock(Limits{}.Resolve(Server))
	if err := b.CheckTime(start.Add(time.Hour)); err != nil {
		t.Error("no block:", err)
	}
	_, _, _ = b.Start(1, frame.Headers{}, start)
	_, _, _ = b.Continue(frame.Continuation{Fragment: []byte{1}}) // must not move the deadline
	if err := b.CheckTime(start.Add(DefaultHeaderBlockTime - 1)); err != nil {
		t.Error("too early:", err)
	}
	wantError(t, b.CheckTime(start.Add(DefaultHeaderBlockTime)), frame.CodeEnhanceYourCalm, 0)
	off := NewHeaderBlock(Limits{HeaderBlockTime: -1}.Resolve(Server))
	_, _, _ = off.Start(1, frame.Headers{}, start)
	if _, ok := off.Deadline(); ok || off.CheckTime(start.Add(1000*time.Hour)) != nil {
		t.Error("a deadline with the limit off")
	}
}
