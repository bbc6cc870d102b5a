package http2

import "sync"

// newcomers decides whether connections that have just been made are looked at for what
// the peer says first before their goroutines sleep. It comes at once as a rule, and
// waking a goroutine for it takes longer than it does. Peers that are far away, or that
// connect and say nothing, cost a few looks: after those in vain there are none for many
// connections (see spin).
type newcomers struct {
	mu   sync.Mutex // a leaf
	spin spin
	made uint64 // connections
}

// worth tells whether to look at the next one.
func (n *newcomers) worth() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.spin.chance(n.made)
	n.made++
	return n.spin.worth()
}

// looked notes whether something came. A look in vain costs about what one saves that is
// not, and so half of them may be.
func (n *newcomers) looked(came bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if came {
		n.spin.looked(0)
	} else {
		n.spin.looked(fastPolls)
	}
}

// looksAtFirst tells whether to look at c, a new connection. With a single processor, a
// peer on the same machine may be waiting for it.
func (c *Conn) looksAtFirst(n *newcomers) bool {
	return !c.cfg.NoSpin && c.reader.processors > 1 && n.worth()
}

// lookFirst reads what has come on a new connection, or comes soon. It is for plain
// sockets.
func (c *Conn) lookFirst(n *newcomers) (int, error) {
	if !c.looksAtFirst(n) {
		return c.raw.poll(&c.reader)
	}
	got, _, err := c.look()
	n.looked(got > 0)
	return got, err
}
