package h2

import (
	"bytes"
	"testing"

	"github.com/yodelrpc/yodel/internal/frame"
)

// resolved returns l as a connection of a server has it.
func resolved(l Limits) *Limits {
	l = l.Resolve(Server)
	return &l
}

func TestHeaderBlockInOneFrame(t *testing.T) {
	b := NewHeaderBlock(resolved(Limits{}))
	fragment := []byte("block")
	got, complete, err := b.Start(1, frame.Headers{Fragment: fragment, EndHeaders: true})
	if err != nil || !complete || &got[0] != &fragment[0] {
		t.Errorf("%q %v %v: want the frame's own memory", got, complete, err)
	}
	if allocs := testing.AllocsPerRun(100, func() {
		_, _, _ = b.Start(1, frame.Headers{Fragment: fragment, EndHeaders: true})
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestHeaderBlockInMany(t *testing.T) {
	b := NewHeaderBlock(resolved(Limits{}))
	memory := []byte("ab")
	if _, complete, err := b.Start(3, frame.Headers{Fragment: memory, EndStream: true}); complete || err != nil {
		t.Fatal(complete, err)
	}
	memory[0] = 'x' // the frame's memory is used again
	if _, _, complete, err := b.Continue(frame.Continuation{}); complete || err != nil {
		t.Fatal(complete, err)
	}
	got, end, complete, err := b.Continue(frame.Continuation{Fragment: []byte("cd"), EndHeaders: true})
	if err != nil || !complete || !end || string(got) != "abcd" {
		t.Fatalf("%q %v %v %v", got, end, complete, err)
	}
	if b.part != nil {
		t.Error("memory is kept")
	}
}

// RFC 9113 §6.10: nothing comes between the frames of a block.
func TestHeaderBlockOrder(t *testing.T) {
	b := NewHeaderBlock(resolved(Limits{}))
	wantError(t, b.Check(frame.Head{Type: frame.TypeContinuation, StreamID: 1}), frame.CodeProtocol, 0)
	for typ := range 256 {
		if frame.Type(typ) == frame.TypeContinuation {
			continue
		}
		if err := b.Check(frame.Head{Type: frame.Type(typ), StreamID: 1}); err != nil {
			t.Errorf("%v between blocks: %v", frame.Type(typ), err)
		}
	}
	_, _, _ = b.Start(1, frame.Headers{})
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
	b := NewHeaderBlock(resolved(l))
	if _, _, err := b.Start(1, frame.Headers{Fragment: []byte{0x82}}); err != nil {
		return err
	}
	for range n {
		if _, _, _, err := b.Continue(frame.Continuation{Fragment: bytes.Repeat([]byte{0x82}, size)}); err != nil {
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
	b := NewHeaderBlock(resolved(Limits{HeaderBlockBytes: 10}))
	_, _, err := b.Start(1, frame.Headers{Fragment: make([]byte, 11), EndHeaders: true})
	wantError(t, err, frame.CodeEnhanceYourCalm, 0)
}
