package http2_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// earlyEvents makes calls as soon as that is possible.
type earlyEvents struct {
	*recordEvents
	calls   int
	conn    transport.Conn
	results []<-chan result
}

func (e *earlyEvents) ConnOpen(conn transport.Conn) {
	e.conn = conn
	for range e.calls {
		e.results = append(e.results, call(conn, ""))
	}
}

// dialEarly starts a client that makes calls while it dials. Its server, the
// script, has said nothing yet.
func dialEarly(t *testing.T, cfg http2.Config, calls int) (p *peer, events *earlyEvents, dialed chan error) {
	t.Helper()
	near, far := newPipe(pipeSize)
	events = &earlyEvents{recordEvents: newRecordEvents(), calls: calls}
	dialed = make(chan error, 1)
	go func() {
		_, err := dialPipe(near, cfg, events)
		dialed <- err
	}()
	synctest.Wait()
	var hello [len(clientPreface)]byte
	if _, err := io.ReadFull(far, hello[:]); err != nil || string(hello[:]) != clientPreface {
		t.Fatalf("the client says %q, %v", hello, err)
	}
	return newPeer(t, far), events, dialed
}

// TestEarly would break if calls that wait for a connection waited for the server's
// SETTINGS, too, or if they did not end as Dial does, or might be made again although
// a server may have acted on them.
func TestEarly(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server func(p *peer)
		result string // "" is success
		// unprocessed tells that no server can have acted on the call.
		unprocessed bool
		took        time.Duration
	}{
		{"answered at once", func(p *peer) { p.write(join(settings(), answer(1, "x"))) }, "", false, 0},
		{"answered later", func(p *peer) {
			p.write(settings())
			synctest.Wait() // Dial has returned
			p.write(answer(1, "x"))
		}, "", false, 0},
		{"no HTTP/2", func(p *peer) { p.write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, "protocol error", true, 0},
		{"an answer without SETTINGS", func(p *peer) { p.write(answer(1, "x")) }, "instead of SETTINGS", true, 0},
		{"bad SETTINGS", func(p *peer) { p.write(settings(2, 1)) }, "SETTINGS_ENABLE_PUSH", false, 0},
		{"closed", func(p *peer) { _ = p.nc.Close() }, "no SETTINGS", false, 0},
		{"silence", func(*peer) {}, "within 10s", false, 10 * time.Second},
		{"leaves", func(p *peer) { p.write(settings(), goAway(0, 0)) }, "GOAWAY", true, 0},
		{"refuses", func(p *peer) { p.write(settings(), reset(1, 7)) }, "refused", true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p, events, dialed := dialEarly(t, http2.Config{}, 1)
				p.want("HEADERS", "HEADERS 1 POST END")
				began := time.Now()
				tt.server(p)
				r := <-events.results[0]
				switch {
				case tt.result == "" && (r.err != nil || r.data != "x"):
					t.Errorf("the call ended with %v", r)
				case tt.result != "" && (r.err == nil || !strings.Contains(r.err.Error(), tt.result)):
					t.Errorf("the call ended with %v, want %q", r, tt.result)
				case tt.result != "" && asError(t, r.err).Unprocessed != tt.unprocessed:
					t.Errorf("unprocessed is %t: %v", !tt.unprocessed, r.err)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
				err := <-dialed
				if works := tt.result == "" || tt.name == "refuses"; works != (err == nil) {
					t.Errorf("Dial returned %v", err)
				}
				_ = p.nc.Close()
				<-events.conn.Done()
			})
		})
	}
}

// TestEarlyLimit would break if calls went out without end to a server that has not
// said how many it takes at a time, or if those that wait were forgotten.
func TestEarlyLimit(t *testing.T) {
	for name, pairs := range map[string][]uint32{"no limit": nil, "a lower limit": {3, 1}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p, events, dialed := dialEarly(t, http2.Config{}, 102)
				p.until("HEADERS 199")
				synctest.Wait()
				if n := http2.BooksOf(events.conn).Openings; n != 2 {
					t.Errorf("%d calls wait for a stream, want 2", n)
				}
				p.write(settings(pairs...))
				if err := <-dialed; err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if n := http2.BooksOf(events.conn).Openings; pairs == nil && n > 0 {
					t.Errorf("%d calls still wait for a stream", n)
				}
				for id := uint32(1); id < 2*102; id += 2 {
					p.write(answer(id, "x"))
					synctest.Wait()
				}
				for _, r := range events.results {
					if r := <-r; r.err != nil {
						t.Error(r)
					}
				}
				_ = p.nc.Close()
				<-events.conn.Done()
			})
		})
	}
}

// AwaitSettings leaves the server without a request until it has shown what it is.
func TestAwaitSettings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, events, dialed := dialEarly(t, http2.Config{AwaitSettings: true}, 1)
		if events.conn != nil {
			t.Error("calls could be made")
		}
		p.write(settings())
		if err := <-dialed; err != nil {
			t.Error(err)
		}
		_ = p.nc.Close()
		<-events.closed
	})
}

// TestGreeting would break if a server waited for its client's preface before it
// sends its own: the client may wait for that (RFC 9113 §3.4).
func TestGreeting(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			p := newPair(t, network, handlerFunc(echo), http2.Config{}, http2.Config{})
			nc, err := net.Dial(network, p.lis.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = nc.Close() }()
			if h, _, err := newPeer(t, nc).next(patience); err != nil || h.Type != frame.TypeSettings {
				t.Errorf("the server says %v, %v", h.Type, err)
			}
		})
	}
	t.Run("pipe", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := serve(t, http2.Config{}, echo)
			if h, _, err := s.next(time.Second); err != nil || h.Type != frame.TypeSettings {
				t.Errorf("the server says %v, %v", h.Type, err)
			}
			_ = s.close()
		})
	})
}
