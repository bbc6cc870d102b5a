package http2_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// dozing is how many goroutines only wait for the socket of a connection that rests.
func dozing() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for one := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(one, "http2.(*Conn).doze") && !strings.Contains(one, "http2.(*Conn).readLoop") {
			n++
		}
	}
	return n
}

// doze waits until n connections rest.
func doze(t *testing.T, n int, meanwhile func()) {
	t.Helper()
	for deadline := time.Now().Add(patience); dozing() != n; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections rest, want %d", dozing(), n)
		}
		meanwhile()
	}
}

// serverOf makes a call, and returns the server's end of the connection.
func serverOf(t *testing.T, network string) (p *pair, server transport.Conn) {
	conns := make(chan transport.Conn, 1)
	var once sync.Once
	p = newPair(t, network, handlerFunc(func(s transport.Stream, h *transport.Header) {
		once.Do(func() { conns <- s.Conn() })
		echo(s, h)
	}), http2.Config{}, http2.Config{})
	callOK(t, p.conn)
	return p, <-conns
}

func callOK(t *testing.T, conn transport.Conn) {
	t.Helper()
	if got, err := unary(t.Context(), conn, []byte("hello")); err != nil || string(got) != "hello" {
		t.Fatalf("a call returns %q, %v", got, err)
	}
}

// TestRest would break if a connection that is idle kept what it had for its streams, or
// did not go on when there is something to do again.
func TestRest(t *testing.T) {
	for _, network := range []string{"tcp", "unix", "tls"} {
		t.Run(network, func(t *testing.T) {
			p, server := serverOf(t, network)
			ends := []transport.Conn{p.conn, server}
			for range 20 {
				doze(t, 2, func() {
					for _, end := range ends {
						http2.ConsiderRest(end)
					}
				})
				for i, end := range ends {
					if n := http2.FreeOf(end); n > 0 {
						t.Errorf("end %d: %d cores are kept", i, n)
					}
				}
				callOK(t, p.conn)
			}
		})
	}
}

// TestRestsByItself would break if nobody looked whether a connection is idle.
func TestRestsByItself(t *testing.T) {
	serverOf(t, "tcp")
	doze(t, 2, func() {})
}

// TestNoRest would break if a connection that has streams, or one of a kind that cannot,
// was taken for idle.
func TestNoRest(t *testing.T) {
	p, server := serverOf(t, "tcp")
	s, err := p.conn.Open(t.Context(), &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	reads(t, server, oneSleeps)
	for range 5 {
		for _, end := range []transport.Conn{p.conn, server} {
			http2.ConsiderRest(end)
		}
	}
	if n := dozing(); n > 0 {
		t.Errorf("%d connections rest", n)
	}
}

// TestRestEnds would break if a connection that rests did not hear of its end.
func TestRestEnds(t *testing.T) {
	for name, end := range map[string]func(client, server transport.Conn){
		"the peer's": func(_, server transport.Conn) { server.Close(errors.New("enough")) },
		"its own":    func(client, _ transport.Conn) { client.Close(errors.New("enough")) },
		"a drain":    func(_, server transport.Conn) { server.Drain() },
	} {
		for _, network := range []string{"tcp", "tls"} {
			t.Run(name+" over "+network, func(t *testing.T) {
				p, server := serverOf(t, network)
				doze(t, 2, func() {
					http2.ConsiderRest(p.conn)
					http2.ConsiderRest(server)
				})
				end(p.conn, server)
				within(t, "the client's end", p.conn.Done(), patience)
				within(t, "the server's end", server.Done(), patience)
			})
		}
	}
}

// TestRestAtAnyTime would break if what comes while a connection is about to rest were
// lost, or taken for late.
func TestRestAtAnyTime(t *testing.T) {
	for _, network := range []string{"tcp", "tls"} {
		t.Run(network, func(t *testing.T) { restAtAnyTime(t, network) })
	}
}

func restAtAnyTime(t *testing.T, network string) {
	p, server := serverOf(t, network)
	stop := make(chan struct{})
	var others, callers sync.WaitGroup
	for _, end := range []transport.Conn{p.conn, server} {
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					http2.ConsiderRest(end)
					runtime.Gosched()
				}
			}
		})
	}
	for callersAtOnce := 1; callersAtOnce <= 2; callersAtOnce++ {
		for range callersAtOnce {
			callers.Go(func() {
				for range 2000 {
					if got, err := unary(context.Background(), p.conn, []byte("hello")); err != nil || string(got) != "hello" {
						t.Errorf("a call returns %q, %v", got, err)
						return
					}
				}
			})
		}
		callers.Wait()
	}
	close(stop)
	others.Wait()
}

// TestRestsWhenIdle would break if a connection rested that has had something to do since
// the last look.
func TestRestsWhenIdle(t *testing.T) {
	p, _ := serverOf(t, "tcp")
	callOK(t, p.conn)
	http2.ConsiderRest(p.conn)
	if http2.FreeOf(p.conn) == 0 {
		t.Error("the connection rests")
	}
}

// TestRestMissesNothing would break if a connection slept on what has come before it
// began to wait.
func TestRestMissesNothing(t *testing.T) {
	c := dialSocket(t, http2.Config{})
	c.exchange(1)
	http2.RestWhile(c.conn, func() { c.write(ping("12345678")) })
	c.want("PONG", "PONG 12345678")
}

// TestRestKeepsTime would break if a frame that does not arrive whole had all the time in
// the world, because a connection that rests has no deadline.
func TestRestKeepsTime(t *testing.T) {
	c := dialSocket(t, http2.Config{Limits: http2.Limits{HeaderBlockTime: 300 * time.Millisecond}})
	c.exchange(1)
	turns := http2.TurnsOf(c.conn)
	c.write([]byte{0, 0, 8})
	for http2.TurnsOf(c.conn) == turns {
		runtime.Gosched()
	}
	http2.RestWhile(c.conn, func() {})
	within(t, "the end of a connection with half a frame", c.conn.Done(), patience)
}

// TestRestKeepsTheQueue would break if a server that rests forgot streams that wait for a
// handler: they are over, but what they hold is in the books.
func TestRestKeepsTheQueue(t *testing.T) {
	var once sync.Once
	conns, block := make(chan transport.Conn, 1), make(chan struct{})
	cfg := http2.Config{Limits: http2.Limits{RunningHandlers: 1, ResetBurst: -1}}
	p := newPair(t, "tcp", handlerFunc(func(s transport.Stream, h *transport.Header) {
		once.Do(func() {
			conns <- s.Conn()
			<-block // whatever becomes of its stream
		})
		echo(s, h)
	}), cfg, http2.Config{})
	var streams []transport.Stream
	for range 3 {
		header := &transport.Header{Block: requestBlock, More: []transport.Field{{Name: "x-more", Value: strings.Repeat("v", 100)}}}
		s, err := p.conn.Open(t.Context(), &transport.Outgoing{Header: header})
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
	}
	server := <-conns
	books := func(ok func(http2.Books) bool) {
		t.Helper()
		for deadline := time.Now().Add(patience); !ok(http2.BooksOf(server)); runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatalf("the books have %+v", http2.BooksOf(server))
			}
		}
	}
	books(func(b http2.Books) bool { return b.Waiting == 2 })
	for _, s := range streams {
		s.Close()
	}
	books(func(b http2.Books) bool { return b.Streams == 0 })
	doze(t, 1, func() { http2.ConsiderRest(server) })
	if b := http2.BooksOf(server); b.Waiting != 2 {
		t.Errorf("%d streams wait, want 2", b.Waiting)
	}
	close(block)
	callOK(t, p.conn)
	books(func(b http2.Books) bool { return b.Waiting == 0 && b.Running == 0 })
}

// TestConnSize would break if a connection grew into the allocator's next size class,
// which has 384 bytes more: there are servers with a hundred thousand of them.
func TestConnSize(t *testing.T) {
	const class = 2304
	if size := unsafe.Sizeof(http2.Conn{}); size > class {
		t.Errorf("a Conn has %d bytes, want at most %d", size, class)
	}
}
