package http2_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport/http2"
)

// connListener hands out the connections that it is sent.
type connListener struct{ conns chan net.Conn }

func (l *connListener) Accept() (net.Conn, error) {
	if nc, ok := <-l.conns; ok {
		return nc, nil
	}
	return nil, net.ErrClosed
}

func (l *connListener) Close() error {
	close(l.conns)
	return nil
}

func (l *connListener) Addr() net.Addr { return &net.UnixAddr{Name: "test", Net: "unix"} }

// TestOffenders (R1) would break if many connections could reset streams at a
// rate that each of them alone is allowed.
func TestOffenders(t *testing.T) {
	const attackers, seconds = 10, 10
	// attack tells how many resets a listener took from all of them.
	attack := func(t *testing.T, limits http2.Limits) (taken int) {
		bubble(t, func(t *testing.T) {
			lis := &connListener{conns: make(chan net.Conn)}
			l := http2.NewListener(lis, http2.ListenerConfig{Config: http2.Config{Limits: limits}})
			done := make(chan error, 1)
			go func() { done <- l.Serve(handlerFunc(blockUntilReset)) }()
			counts := make(chan int, attackers)
			for range attackers {
				near, far := newPipe(4096)
				lis.conns <- far
				go func() { counts <- resetFor(near, seconds*time.Second) }()
			}
			for range attackers {
				taken += <-counts
			}
			l.Close(errors.New("the test is over"))
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		return taken
	}
	limits := http2.Limits{ResetBurst: 20, ResetsPerSecond: 20, OffendersPerSecond: 50}
	// 50 at once and 50 a second together, 20 at once each, and what is on its
	// way in a pipe.
	const most = attackers*(20+4096/30) + 50*(seconds+1)
	if n := attack(t, limits); n > most {
		t.Errorf("%d resets were taken in %d s, want %d at most", n, seconds, most)
	}
	limits.OffendersPerSecond = -1
	if n := attack(t, limits); n <= most {
		t.Errorf("without the limit %d resets were taken: the attack is none", n)
	}
}

// resetFor opens and resets streams as fast as they are read, for a while, and
// tells how many.
func resetFor(nc net.Conn, d time.Duration) (n int) {
	defer nc.Close()
	_ = nc.SetWriteDeadline(time.Now().Add(d))
	go func() {
		var drop [4096]byte
		for {
			if _, err := nc.Read(drop[:]); err != nil {
				return
			}
		}
	}()
	if _, err := nc.Write(join([]byte(clientPreface), settings(), settingsAck())); err != nil {
		return 0
	}
	for id := uint32(1); ; id += 2 {
		if _, err := nc.Write(join(opened(id), reset(id, frame.CodeCancel))); err != nil {
			return n
		}
		n++
	}
}
