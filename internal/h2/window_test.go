package h2

import (
	"math"
	"testing"

	"github.com/yodelrpc/yodel/internal/frame"
)

func TestSendWindow(t *testing.T) {
	w := NewSendWindow(100)
	w.Take(60)
	if w.Available() != 40 {
		t.Fatal(w.Available())
	}
	// RFC 9113 §6.9.2: lowered by more than is left, it is negative, and
	// updates must fill the hole first.
	if err := w.Shift(-90); err != nil || w.Available() != 0 || w.n != -50 {
		t.Fatal(w, err)
	}
	if err := w.Add(1, 50); err != nil || w.Available() != 0 {
		t.Fatal(w, err)
	}
	if err := w.Add(1, 7); err != nil || w.Available() != 7 {
		t.Fatal(w, err)
	}
}

func TestSendWindowOverflow(t *testing.T) {
	for _, id := range []uint32{0, 3} {
		w := NewSendWindow(InitialWindow)
		if err := w.Add(id, MaxWindow-InitialWindow); err != nil || w.Available() != MaxWindow {
			t.Fatal("up to 2^31-1 is legal:", err)
		}
		wantError(t, w.Add(id, 1), frame.CodeFlowControl, id)
	}
	w := NewSendWindow(MaxWindow)
	wantError(t, w.Shift(1), frame.CodeFlowControl, 0)
	low := SendWindow{}
	for range 4 {
		if err := low.Shift(-MaxWindow); err != nil {
			t.Fatal(err)
		}
	}
	if low.Available() != 0 {
		t.Error("32 bits wrap here")
	}
}

func TestRecvWindowOverrun(t *testing.T) {
	for _, id := range []uint32{0, 5} {
		w := NewRecvWindow(100)
		if err := w.Receive(id, 100); err != nil {
			t.Fatal(err)
		}
		wantError(t, w.Receive(id, 1), frame.CodeFlowControl, id)
	}
}

// One WINDOW_UPDATE for a quarter of the window, not one for each frame.
func TestRecvWindowBatches(t *testing.T) {
	w := NewRecvWindow(1000)
	if err := w.Receive(1, 1000); err != nil {
		t.Fatal(err)
	}
	if inc := w.Release(249); inc != 0 {
		t.Fatalf("an update of %d after 249 bytes", inc)
	}
	if inc := w.Release(1); inc != 250 {
		t.Fatalf("increment %d, want 250", inc)
	}
	if inc := w.Release(750); inc != 750 || w.Credit() != 1000 || w.Held() != 0 {
		t.Fatalf("increment %d, %+v", inc, w)
	}
	if inc := w.Release(0); inc != 0 {
		t.Fatalf("nothing released gave %d", inc)
	}
	if inc := w.Release(5); inc != 0 || w.Credit() != 1000 {
		t.Fatalf("bytes that were never received gave credit: %+v", w)
	}
	tiny := NewRecvWindow(0)
	if inc := tiny.Release(0); inc != 0 {
		t.Fatalf("an empty window gave an update of %d", inc)
	}
}

// A message of ten windows arrives whole although nobody takes a byte of it
// before, and the loan is paid back.
func TestRecvWindowDemand(t *testing.T) {
	const size, message = 100, 1000
	w := NewRecvWindow(size)
	arrived := 0
	for arrived < message {
		w.Demand(message - arrived)
		n := min(w.Credit(), 16, message-arrived)
		if n == 0 {
			t.Fatalf("stalled at %d of %d", arrived, message)
		}
		if err := w.Receive(1, n); err != nil {
			t.Fatal(err)
		}
		arrived += n
	}
	if inc := w.Demand(0); inc != 0 {
		t.Errorf("Demand(0) returned %d", inc)
	}
	w.Release(message)
	if w.Credit() > size+newSpare || w.borrowed > newSpare || w.credit+w.pending != size+w.borrowed {
		t.Errorf("after the message: %+v", w)
	}
	if err := w.Receive(1, w.Credit()); err != nil {
		t.Fatal(err)
	}
	w.Release(w.Held())
	if w.Credit() > size || w.borrowed != 0 {
		t.Errorf("the loan is not paid back: %+v", w)
	}
}

// A peer that pads each frame by the most there is, and never less, must get
// credit for the last of them too.
func TestRecvWindowDemandOfAPeerThatAlwaysPads(t *testing.T) {
	const size, message, data, padding = 262144, 314164, 50, 256
	w := NewRecvWindow(size)
	updates := 0
	demand := func(inc uint32) {
		if inc > 0 {
			updates++
		}
	}
	for left := message; left > 0; {
		n := min(data, left)
		if w.Credit() < n+padding {
			t.Fatalf("stalled with %d bytes to come and credit for %d", left, w.Credit())
		}
		if err := w.Receive(1, n+padding); err != nil {
			t.Fatal(err)
		}
		demand(w.Release(padding))
		left -= n
		demand(w.Demand(left))
	}
	if frames := message / data; updates > frames/8 {
		t.Errorf("%d updates for %d frames", updates, frames)
	}
}

// Padding takes window that a waiting reader needs. If its release is paid
// back to the loan and not to the peer, the message never ends.
func TestRecvWindowDemandWithPadding(t *testing.T) {
	w := NewRecvWindow(100)
	for left := 500; left > 0; {
		w.Demand(left)
		if w.Credit() < left {
			t.Fatalf("%d bytes to come, credit for %d", left, w.Credit())
		}
		padding := min(50, w.Credit()-1)
		if err := w.Receive(1, 1+padding); err != nil {
			t.Fatal(err)
		}
		left--
		w.Demand(left)
		w.Release(padding)
	}
}

func TestRecvWindowGrow(t *testing.T) {
	w := NewRecvWindow(InitialWindow)
	if inc := w.Grow(1 << 20); inc != 1<<20-InitialWindow || w.Credit() != 1<<20 || w.Size() != 1<<20 {
		t.Fatal(inc, w)
	}
	if inc := w.Grow(1 << 19); inc != 0 || w.Size() != 1<<20 {
		t.Fatal("windows do not shrink:", inc, w)
	}
	w.Demand(math.MaxInt)
	w.Grow(math.MaxInt)
	if w.Credit() > MaxWindow {
		t.Fatalf("credit of %d is more than a window may be", w.Credit())
	}
}

// FuzzRecvWindow runs a peer that follows the rules against the window: what it
// thinks it may send is what we think, sums hold, a waiting reader always has
// credit coming, and nothing leaks: at the end the whole window is back (R13,
// R14).
func FuzzRecvWindow(f *testing.F) {
	f.Add(uint16(100), []byte{0, 50, 1, 20, 2, 200, 0, 255, 1, 255, 3, 9})
	f.Add(uint16(0), []byte{2, 1, 0, 1, 1, 1})
	f.Add(uint16(65535), []byte{3, 255, 2, 255, 0, 255, 4, 0})
	f.Fuzz(func(t *testing.T, size uint16, ops []byte) {
		w := NewRecvWindow(int(size))
		mayForPeer := int64(size)
		for i := 0; i+1 < len(ops); i += 2 {
			n := int(ops[i+1]) * (int(ops[i]>>3) + 1)
			inc := uint32(0)
			switch ops[i] % 5 {
			case 0:
				n = min(n, w.Credit())
				if err := w.Receive(1, n); err != nil {
					t.Fatal(err)
				}
				mayForPeer -= int64(n)
			case 1:
				inc = w.Release(n)
			case 2:
				inc = w.Demand(n)
			case 3:
				inc = w.Grow(n)
			case 4:
				if err := w.Receive(1, w.Credit()+1); err == nil {
					t.Fatal("more than the window was let in")
				}
			}
			mayForPeer += int64(inc)
			checkRecvWindow(t, &w, mayForPeer)
		}
		mayForPeer += int64(w.Demand(0))
		mayForPeer += int64(w.Release(w.Held()))
		checkRecvWindow(t, &w, mayForPeer)
		if w.held != 0 || w.pending > w.size/updateShare || w.credit+w.pending != w.size+w.borrowed {
			t.Fatalf("not all came back: %+v", w)
		}
	})
}

func checkRecvWindow(t *testing.T, w *RecvWindow, mayForPeer int64) {
	t.Helper()
	switch {
	case w.credit != mayForPeer:
		t.Fatalf("the peer may send %d, we think %d", mayForPeer, w.credit)
	case w.credit+w.held+w.pending != w.size+w.borrowed:
		t.Fatalf("sums differ: %+v", *w)
	case min(w.credit, w.held, w.pending, w.borrowed) < 0:
		t.Fatalf("negative: %+v", *w)
	case w.credit > MaxWindow:
		t.Fatalf("credit above 2^31-1: %+v", *w)
	case w.pending > 0 && w.pending >= w.size/updateShare && w.size > 0:
		t.Fatalf("an update is due and was not given: %+v", *w)
	}
}

// FuzzSendWindow compares with plain arithmetic in 64 bits.
func FuzzSendWindow(f *testing.F) {
	f.Add(uint32(65535), []byte{0, 9, 1, 9, 2, 9})
	f.Add(uint32(1<<31-1), []byte{1, 255, 2, 255, 3, 255})
	f.Fuzz(func(t *testing.T, size uint32, ops []byte) {
		size &= MaxWindow
		w, model := NewSendWindow(size), int64(size)
		for i := 0; i+1 < len(ops); i += 2 {
			n := int64(ops[i+1]) << (ops[i] >> 3 & 23)
			var err error
			next := model
			switch ops[i] % 4 {
			case 0:
				n = min(n, int64(w.Available()))
				w.Take(int(n))
				next -= n
			case 1:
				next += n
				err = w.Add(1, uint32(n))
			case 2:
				next += n
				err = w.Shift(n)
			case 3:
				next -= n
				err = w.Shift(-n)
			}
			if (err != nil) != (next > MaxWindow) {
				t.Fatalf("%d: %v", next, err)
			}
			if err == nil {
				model = next
			}
			if int64(w.Available()) != max(model, 0) {
				t.Fatalf("available %d, want %d", w.Available(), max(model, 0))
			}
		}
	})
}
