package http2

import "testing"

// TestAheadIsBounded would break if a peer got memory for messages that it only
// announces: any before it has sent one of that size, or more than maxAhead
// after.
func TestAheadIsBounded(t *testing.T) {
	const need, usual = maxAhead / 2, readSize
	c := &Conn{proven: need - 1}
	if got := c.roomLocked(&stream{}, need, usual); got != usual {
		t.Errorf("a size that is not proven gets %d bytes, want %d", got, usual)
	}
	c.proven = need
	streams := make([]*stream, 20)
	ahead := 0
	for i := range streams {
		streams[i] = &stream{}
		ahead += c.roomLocked(streams[i], need, usual) - usual
	}
	if ahead == 0 || ahead > maxAhead || c.ahead != ahead {
		t.Errorf("20 announced messages get %d bytes ahead, counted as %d, want some and %d at most", ahead, c.ahead, maxAhead)
	}
	for _, st := range streams {
		c.notAheadLocked(st)
	}
	if got := c.roomLocked(&stream{}, need, usual); got != need {
		t.Errorf("when the others are through, a message gets %d bytes, want %d", got, need)
	}
}

// TestWaitersAreBounded would break if many that have waited at once made a
// connection keep the channel of each.
func TestWaitersAreBounded(t *testing.T) {
	var w waiters
	lent := make([]*waiter, 3*maxFree)
	for i := range lent {
		lent[i] = w.take()
	}
	for _, one := range lent {
		one.wake() // a token that came too late
		w.give(one)
	}
	if len(w.free) != maxFree {
		t.Errorf("%d are kept, want %d", len(w.free), maxFree)
	}
	if len(w.take().ch) != 0 {
		t.Error("one is lent with the token of another")
	}
}

// TestSpinnersAreBounded would break if any number of goroutines could look at
// the same time: this one has no socket to look at.
func TestSpinnersAreBounded(t *testing.T) {
	spinners.Add(maxSpinners)
	defer spinners.Add(-maxSpinners)
	if n, polls, err := new(Conn).look(); n != 0 || polls != spinPolls || err != nil {
		t.Errorf("look returned %d, %d, %v; want nothing, as if in vain", n, polls, err)
	}
}

// TestHandsLittle would break if receivers were handed the memory of large messages: what
// follows them is put there, too, while they are read.
func TestHandsLittle(t *testing.T) {
	for size, want := range map[int]bool{0: false, 1: true, quickSize: true, quickSize + 1: false} {
		if got := new(Conn).handLocked(&stream{buf: make([]byte, size)}); got != want {
			t.Errorf("%d bytes are handed over: %v, want %v", size, got, want)
		}
	}
}

// TestAnnouncedIsNotProven would break if a message that was announced, and did not come
// before the end of its stream, counted as one of that size.
func TestAnnouncedIsNotProven(t *testing.T) {
	c := &Conn{}
	st := &stream{need: maxAhead}
	st.handle = &st.own
	c.seenLocked(st, st.need, 5, true)
	if c.proven > 6 {
		t.Errorf("after 5 bytes, a size of %d is proven", c.proven)
	}
}
