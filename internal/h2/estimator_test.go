package h2

import (
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// roundTrip lets n bytes arrive during a sample of length rtt.
func roundTrip(t *testing.T, e *Estimator, n int, rtt time.Duration) (int, bool) {
	t.Helper()
	for range 1000 {
		if e.Data(e.Window()/2, atStart) {
			e.Data(n, atStart)
			return e.Ack(start.Add(rtt))
		}
	}
	t.Fatal("no sample started")
	return 0, false
}

// A path that carries a whole window each round trip gets a larger one, up to
// the maximum, and then no more PINGs.
func TestEstimatorGrows(t *testing.T) {
	e := NewEstimator(64<<10, 1<<20)
	for e.Window() < 1<<20 {
		before := e.Window()
		w, grown := roundTrip(t, &e, before, 10*time.Millisecond)
		if !grown || w < min(2*before, 1<<20) || w > 1<<20 {
			t.Fatalf("window %d after a full %d, grown %v", w, before, grown)
		}
	}
	if e.Data(1<<20, atStart) {
		t.Error("a PING though the window cannot grow")
	}
}

func TestEstimatorStays(t *testing.T) {
	e := NewEstimator(64<<10, 0)
	if _, grown := roundTrip(t, &e, 20<<10, time.Millisecond); grown {
		t.Error("grown though a third of the window was enough")
	}
	e = NewEstimator(64<<10, 0)
	roundTrip(t, &e, 40<<10, time.Millisecond)
	if _, grown := roundTrip(t, &e, 64<<10, 10*time.Millisecond); grown {
		t.Error("grown though the bandwidth fell: a longer queue, not a longer path")
	}
	if w, grown := e.Ack(start); grown || w != 64<<10 {
		t.Error("an answer that nobody asked for grew the window")
	}
	e = NewEstimator(64<<10, 64<<10)
	if e.Data(1<<20, atStart) {
		t.Error("a maximum not above the window must switch samples off")
	}
}

// Small calls must not cost a PING each, and a server that counts PINGs must
// see DATA before each of them (gRFC A8).
func TestEstimatorPingsSeldom(t *testing.T) {
	e := NewEstimator(64<<10, 0)
	if e.Data(0, atStart) {
		t.Error("a PING without DATA")
	}
	pings, bytes := 0, 0
	for range 100_000 {
		bytes += 105
		if e.Data(105, atStart) {
			pings++
			if e.Data(105, atStart) {
				t.Fatal("two samples at a time")
			}
			e.Ack(start.Add(time.Millisecond))
		}
	}
	if most := bytes/(16*64<<10) + 8; pings == 0 || pings > most {
		t.Errorf("%d PINGs for %d bytes, want 1 to %d", pings, bytes, most)
	}
	e = NewEstimator(64<<10, 0)
	e.Data(64<<10, atStart)
	if _, grown := e.Ack(start); grown {
		t.Error("an instant answer: nothing arrived")
	}
}

func TestPingKinds(t *testing.T) {
	seen := map[[8]byte]bool{}
	for k := PingKeepalive; k <= PingDrain; k++ {
		if seen[k.Data()] {
			t.Errorf("kind %d shares its opaque value", k)
		}
		seen[k.Data()] = true
		if got := PingKindOf(k.Data()); got != k {
			t.Errorf("kind %d reads as %d", k, got)
		}
	}
	for _, foreign := range [][8]byte{{}, {7: '1'}, {'y', 'o', 'd', 'e', 'l', '/', 'p', '9'}, {'y', 'o', 'd', 'e', 'l', '/', 'p', 0}} {
		if got := PingKindOf(foreign); got != PingForeign {
			t.Errorf("%q reads as %d", foreign, got)
		}
	}
}

// atStart is a clock that stands still.
func atStart() time.Time { return start }

func TestEstimatorStarved(t *testing.T) {
	for _, tt := range []struct{ window, most, want int }{
		{64 << 10, 0, 128 << 10},
		{5 << 20, 0, 8 << 20},
		{8 << 20, 0, 8 << 20},
		{9 << 20, 0, 9 << 20},
		{64 << 10, 100 << 10, 100 << 10},
		{64 << 10, 64 << 10, 64 << 10},
	} {
		e := NewEstimator(tt.window, tt.most)
		w, grown := e.Starved()
		if w != tt.want || w != e.Window() || grown != (w > tt.window) {
			t.Errorf("a window of %d, %d at most: %d, grown %v, want %d", tt.window, tt.most, w, grown, tt.want)
		}
	}
}
