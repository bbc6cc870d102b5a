package h2

import (
	"testing"
	"time"
)

func TestPingPolicy(t *testing.T) {
	const often, seldom = time.Second, 5 * time.Minute
	for _, tt := range []struct {
		name   string
		limits Limits
		idle   bool
		sent   bool
		every  time.Duration
		want   int // PINGs let pass, of 100
	}{
		{"one a second", Limits{}, false, false, often, 3},
		{"one in five minutes", Limits{}, false, false, seldom, 100},
		{"one in five minutes, idle", Limits{}, true, false, seldom, 3},
		{"one in two hours, idle", Limits{}, true, false, 2 * time.Hour, 100},
		{"one a second beside DATA", Limits{}, false, true, often, 100},
		{"strikes off", Limits{PingStrikes: -1}, false, false, often, 100},
		{"interval off", Limits{PingInterval: -1}, false, false, often, 100},
		{"idle interval off", Limits{IdlePingInterval: -1}, true, false, often, 100},
		{"no strikes but one", Limits{PingStrikes: 1}, false, false, often, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := NewPingPolicy(tt.limits.Resolve(Server))
			now, passed := start, 0
			for range 100 {
				now = now.Add(tt.every)
				if tt.sent {
					p.Sent()
				}
				if p.Ping(tt.idle, now).Calm {
					break
				}
				passed++
			}
			if passed != tt.want {
				t.Errorf("%d PINGs passed, want %d", passed, tt.want)
			}
		})
	}
}

// Strikes before an answer of ours do not count after it.
func TestPingPolicyForgives(t *testing.T) {
	p := NewPingPolicy(Limits{}.Resolve(Server))
	for round := range 10 {
		for i := range 3 { // the first after HEADERS or DATA is free
			if p.Ping(false, start).Calm {
				t.Fatalf("round %d: closed at PING %d", round, i)
			}
		}
		p.Sent()
	}
}
