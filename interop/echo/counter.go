package echo

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// Counter counts the bytes that connections carry. The zero value is ready to
// use, and all methods are safe for concurrent use.
type Counter struct{ received, sent atomic.Int64 }

// Received is the number of bytes that were read.
func (c *Counter) Received() int64 { return c.received.Load() }

// Sent is the number of bytes that were written.
func (c *Counter) Sent() int64 { return c.sent.Load() }

// Listener returns lis with every connection counted.
func (c *Counter) Listener(lis net.Listener) net.Listener { return countedListener{lis, c} }

type countedListener struct {
	net.Listener

	counter *Counter
}

func (l countedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{conn, l.counter}, nil
}

type countedConn struct {
	net.Conn

	counter *Counter
}

func (c countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.counter.received.Add(int64(n))
	return n, err
}

func (c countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.counter.sent.Add(int64(n))
	return n, err
}

// Relay carries connections to a target and back, and counts their bytes as
// the target's: Received is what went to it.
type Relay struct {
	Counter

	lis    net.Listener
	target string
	done   sync.WaitGroup
}

// NewRelay starts a relay on a free port of the loopback interface. It must be
// closed.
func NewRelay(ctx context.Context, target string) (*Relay, error) {
	var config net.ListenConfig
	lis, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{target: target}
	r.lis = r.Listener(lis)
	r.done.Go(r.accept)
	return r, nil
}

// Addr is where the relay listens.
func (r *Relay) Addr() string { return r.lis.Addr().String() }

// Close stops accepting, and waits until the connections have ended.
func (r *Relay) Close() error {
	err := r.lis.Close()
	r.done.Wait()
	return err
}

func (r *Relay) accept() {
	for {
		conn, err := r.lis.Accept()
		if err != nil {
			return
		}
		r.done.Go(func() { r.carry(conn) })
	}
}

func (r *Relay) carry(conn net.Conn) {
	defer conn.Close()
	var dialer net.Dialer
	target, err := dialer.DialContext(context.Background(), "tcp", r.target)
	if err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(conn, target)
		_ = conn.Close()
	})
	_, _ = io.Copy(target, conn)
	_ = target.Close()
	back.Wait()
}
