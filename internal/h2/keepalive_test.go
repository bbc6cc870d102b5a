package h2

import (
	"testing"
	"time"
)

// silent has a Keepalive look as often as it wants to, for so long, while nothing is read
// but answers to its PINGs, if answers is set. It returns when it asked and when it gave up.
func silent(k *Keepalive, answers bool, long time.Duration) (asked []time.Duration, gone time.Duration) {
	read, at := uint64(1), time.Duration(0)
	for next := k.Start(read, start); at+next <= long; {
		at += next
		ask, dead, n := k.Look(read, true, start.Add(at))
		if dead {
			return asked, at
		}
		if ask {
			asked = append(asked, at)
			if answers {
				read++
			}
		}
		next = n
	}
	return asked, 0
}

func TestKeepalive(t *testing.T) {
	const silence, timeout = 10 * time.Second, 4 * time.Second
	k := NewKeepalive(silence, timeout, true)
	asked, gone := silent(&k, false, time.Hour)
	if len(asked) != 1 || asked[0] < silence || asked[0] > silence*5/4 || gone != asked[0]+timeout {
		t.Errorf("a peer that says nothing is asked at %v and given up at %v", asked, gone)
	}

	k = NewKeepalive(silence, timeout, true)
	asked, gone = silent(&k, true, time.Hour)
	if len(asked) < 12 || len(asked) > 14 || gone != 0 {
		t.Fatalf("a peer that only answers is asked at %v and given up at %v", asked, gone)
	}
	policy := NewPingPolicy(Limits{}.Resolve(Server))
	policy.Sent()
	for i, at := range asked {
		if i >= sparePings && at-asked[i-1] < 5*time.Minute {
			t.Errorf("PING %d comes %v after the one before", i+1, at-asked[i-1])
		}
		if policy.Ping(false, start.Add(at)).Calm {
			t.Fatalf("a server would not allow PING %d, at %v", i+1, at)
		}
	}
	k.News()
	if again, _ := silent(&k, true, time.Minute); len(again) != sparePings {
		t.Errorf("after a message the peer is asked at %v", again)
	}

	k = NewKeepalive(silence, timeout, false)
	if asked, gone = silent(&k, true, time.Hour); len(asked) < 3600/15 || gone != 0 {
		t.Errorf("a peer that only answers is asked %d times in an hour, and given up at %v", len(asked), gone)
	}
}

// What a look that comes late finds says nothing: what came meanwhile may not have been
// read yet. Nor is a PING answered that has not been written.
func TestKeepaliveIsPatient(t *testing.T) {
	const silence, timeout = 10 * time.Second, 4 * time.Second
	asking := func() (k Keepalive, at time.Duration) {
		k = NewKeepalive(silence, timeout, false)
		next := k.Start(1, start)
		for {
			at += next
			ask, gone, n := k.Look(1, true, start.Add(at))
			if gone {
				t.Fatal("given up without a PING")
			}
			if next = n; ask {
				return k, at
			}
		}
	}
	k, at := asking()
	if _, gone, _ := k.Look(1, true, start.Add(at+timeout+time.Minute)); gone {
		t.Error("a process that was stopped for a minute has given its peer up")
	}
	k, at = asking()
	for range 100 {
		at += timeout
		if _, gone, next := k.Look(1, false, start.Add(at)); gone || next != timeout {
			t.Fatal("the peer is given up before the PING is written")
		}
	}
	if _, gone, _ := k.Look(1, true, start.Add(at+timeout)); !gone {
		t.Error("the peer is not given up")
	}
}
