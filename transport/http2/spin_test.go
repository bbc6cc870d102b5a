package http2

import (
	"slices"
	"testing"
	"time"
)

// failTry has a try of s fail, and returns how many looks that took.
func failTry(s *spin) (looks int) {
	for s.worth() {
		s.looked(spinPolls)
		looks++
	}
	return looks
}

// TestSpinTries would break if a try began outside of its window, or twice in
// one, or if looking in vain did not end it.
func TestSpinTries(t *testing.T) {
	var s spin
	if s.worth() {
		t.Error("looking is worth it before any try")
	}
	s.chance(tryWindow)
	if s.worth() {
		t.Error("a try began just after its window")
	}
	s.chance(tryEvery - 1)
	if s.worth() {
		t.Error("a try began just before its window")
	}
	s.chance(tryEvery + tryWindow - 1)
	if !s.worth() {
		t.Fatal("no try began at the end of its window")
	}
	if n := failTry(&s); n != maxCredit/missCost {
		t.Errorf("%d misses ended the try, want %d", n, maxCredit/missCost)
	}

	s = spin{}
	s.chance(3)
	if !s.worth() {
		t.Fatal("no try began in the first window")
	}
	failTry(&s)
	for frames := range uint64(2 * tryEvery) {
		if s.chance(frames); s.worth() {
			t.Fatalf("a second try began at %d, after one at 3 that failed", frames)
		}
	}
	if s.chance(2 * tryEvery); !s.worth() {
		t.Error("no try began in the second window")
	}
}

// TestSpinBacksOff would break if failures in a row did not make tries rarer,
// without end, or if looking that pays off did not make up for them.
func TestSpinBacksOff(t *testing.T) {
	var s spin
	begin := func(frames uint64) {
		t.Helper()
		if s.chance(frames); !s.worth() {
			t.Fatalf("no try began at %d after %d failures", frames, s.failures)
		}
	}
	const step = tryEvery << mostFailures // a multiple of all distances
	frames := uint64(100 * step)
	for failures := range mostFailures + 3 {
		every := uint64(tryEvery) << min(failures, mostFailures)
		frames += step
		for off := uint64(tryWindow); off < every; off += tryWindow {
			if s.chance(frames + off); s.worth() {
				t.Fatalf("after %d failures a try began %d frames into a distance of %d", failures, off, every)
			}
		}
		begin(frames + every)
		failTry(&s)
		frames += step
	}
	// One fast answer, and the distance is as short as at first, though the try
	// itself comes to nothing.
	frames += step
	begin(frames)
	s.looked(0)
	failTry(&s)
	begin(frames + 2*tryEvery)
}

// TestSpinHits would break if looking that pays off did not go on, or looking
// that barely does went on for ever.
func TestSpinHits(t *testing.T) {
	var s spin
	s.chance(0)
	for range 10 * maxCredit {
		s.looked(fastPolls - 1)
	}
	if n := failTry(&s); n != maxCredit/missCost {
		t.Errorf("after many fast hits %d misses ended the try, want %d", n, maxCredit/missCost)
	}
	// A miss now and then is made up for.
	s = spin{}
	s.chance(0)
	for i := range 10 * maxCredit {
		s.looked(0)
		if i%missCost == 0 {
			s.looked(spinPolls)
			s.looked(0)
		}
	}
	if !s.worth() {
		t.Error("one miss in five looks ended the try")
	}
	for polls := fastPolls; polls < spinPolls; polls += spinPolls - fastPolls - 1 {
		s = spin{}
		s.chance(0)
		looks := 0
		for s.worth() && looks < 10*maxCredit {
			s.looked(polls)
			looks++
		}
		if looks != maxCredit || s.failures != 1 {
			t.Errorf("%d hits of %d polls wore the try out, with %d failures, want %d and 1", looks, polls, s.failures, maxCredit)
		}
	}
}

// TestSpinOff would break if Config.NoSpin did not keep readers from looking.
func TestSpinOff(t *testing.T) {
	s := spin{off: true, credit: maxCredit}
	if s.worth() {
		t.Error("looking is worth it although it is switched off")
	}
	s = spin{off: true}
	for frames := range uint64(2 * tryEvery) {
		if s.chance(frames); s.credit != 0 || s.worth() {
			t.Fatalf("a try began at %d although it is switched off", frames)
		}
	}
}

// TestSpinTogether would break if two ends that have seen the same did not try
// at the same time: one that looks alone learns nothing.
func TestSpinTogether(t *testing.T) {
	var a, b spin
	tries := 0
	for frames := uint64(0); frames < 1<<18; frames += 2 {
		// They have occasions at different times, but in the same windows.
		began := a.credit == 0
		a.chance(frames)
		b.chance(frames + 1)
		if a.worth() != b.worth() {
			t.Fatalf("at %d one end looks (%v), the other does not (%v)", frames, a.worth(), b.worth())
		}
		if a.worth() {
			if began {
				tries++
			}
			a.looked(spinPolls)
			b.looked(spinPolls)
		}
	}
	if tries < mostFailures {
		t.Errorf("%d tries among %d frames", tries, 1<<18)
	}
}

// serve has t judge n times so many handlers that took so long each, as long as
// it trusts, and returns how often it did.
func (t *trust) serve(n, handlers int, each time.Duration) (served int) {
	for range n {
		if t.banned > 0 {
			break
		}
		t.judge(time.Duration(handlers)*each, handlers)
		served++
	}
	return served
}

// TestTrustQuickHandlers would break if handlers that return at once lost the
// reader's role, or those that were held up once.
func TestTrustQuickHandlers(t *testing.T) {
	for _, tt := range []struct {
		name     string
		handlers int
		each     time.Duration
	}{
		{"alone", 1, 30 * time.Microsecond},
		{"in pairs", 2, 8 * time.Microsecond},
		{"in batches", 32, 8 * time.Microsecond},
	} {
		var tr trust
		const n = 100_000
		if served := tr.serve(n, tt.handlers, tt.each); served < n {
			t.Errorf("%s: banned after %d quick turns", tt.name, served)
		}
		tr = trust{}
		for i := range 100 {
			tr.judge(3*time.Millisecond, tt.handlers) // it lost its processor
			if served := tr.serve(2000, tt.handlers, tt.each/2); served < 2000 {
				t.Errorf("%s: banned for stall %d of 3 ms among 2000 quick turns", tt.name, i)
				break
			}
		}
	}
}

// TestTrustBans would break if handlers that work for a while kept the reader's
// role, or if what is too long was the same for one call and for many.
func TestTrustBans(t *testing.T) {
	for _, tt := range []struct {
		name     string
		handlers int
		each     time.Duration
		within   time.Duration // of the handlers' time
	}{
		{"20 µs in pairs", 2, 20 * time.Microsecond, 2*mostExcess + time.Millisecond},
		{"20 µs in batches", 32, 20 * time.Microsecond, 2*mostExcess + time.Millisecond},
		{"100 µs alone", 1, 100 * time.Microsecond, 2*mostExcess + time.Millisecond},
		{"11 µs in batches", 32, 11 * time.Microsecond, 12 * time.Millisecond},
		{"a long one", 1, 6 * time.Millisecond, 6 * time.Millisecond},
	} {
		var tr trust
		served := tr.serve(1000, tt.handlers, tt.each)
		if took := time.Duration(served*tt.handlers) * tt.each; tr.banned == 0 || took > tt.within {
			t.Errorf("%s: after %v of work there is a ban of %d turns, want one after %v", tt.name, took, tr.banned, tt.within)
		}
	}
	var tr trust
	if served := tr.serve(10_000, 1, 20*time.Microsecond); served < 10_000 {
		t.Errorf("20 µs alone: banned after %d turns", served)
	}
}

// TestTrustBansGrow would break if a ban did not end, or if those of a
// connection with slow handlers did not grow, or not shrink again.
func TestTrustBansGrow(t *testing.T) {
	var tr trust
	endure := func() (turns int) {
		for !tr.given() {
			if turns++; turns > 2*mostBan {
				t.Fatal("the ban does not end")
			}
		}
		return turns
	}
	offend := func(want int) {
		t.Helper()
		tr.serve(1000, 32, 20*time.Microsecond)
		if turns := endure(); turns != want {
			t.Errorf("a ban of %d turns, want %d", turns, want)
		}
		if !tr.given() {
			t.Error("a ban began again by itself")
		}
	}
	quiet := func() { // for one period
		t.Helper()
		n := int(patiencePeriod / alonePatience)
		if served := tr.serve(n, 1, time.Microsecond); served != n {
			t.Fatal("quick handlers are banned")
		}
	}
	if !tr.given() {
		t.Fatal("a new connection is not trusted")
	}
	for want := leastBan; want < mostBan; want *= 2 {
		offend(want)
	}
	offend(mostBan)
	offend(mostBan)
	for range 3 {
		quiet() // each halves
	}
	offend(mostBan / 4)
	for range 20 {
		quiet()
	}
	offend(leastBan)
}

// TestSpinOncePerWindow would break if a window that is one at two distances had
// two tries, or was left out.
func TestSpinOncePerWindow(t *testing.T) {
	var s spin
	var began []uint64
	for frames := range uint64(32 * tryEvery) {
		if s.chance(frames); s.worth() {
			began = append(began, frames/tryEvery)
			failTry(&s)
		}
	}
	if want := []uint64{0, 2, 4, 8, 16}; !slices.Equal(began, want) {
		t.Errorf("tries began in windows %d, want %d", began, want)
	}
}
