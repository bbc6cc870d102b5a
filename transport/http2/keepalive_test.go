package http2_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// asked reads for so long, or to the end of the connection, and returns when the other
// side has asked whether anybody is there. It answers if answers is set.
func (p *peer) asked(long time.Duration, answers bool) (at []time.Duration, ended bool) {
	began := time.Now()
	for {
		left := long - time.Since(began)
		if left <= 0 {
			return at, false
		}
		h, payload, err := p.next(left)
		switch {
		case err != nil:
			return at, time.Since(began) < long
		case h.Type == frame.TypePing && h.Flags&fAck == 0 && h2.PingKindOf([8]byte(payload)) == h2.PingKeepalive:
			at = append(at, time.Since(began))
			if answers {
				p.write(pong(string(payload)))
			}
		}
	}
}

// TestSilentServer (R35) would break if a client waited for a server that is gone, or
// asked it other than its configuration says.
func TestSilentServer(t *testing.T) {
	for _, tt := range []struct {
		name        string
		keepalive   http2.Keepalive
		first, gone time.Duration // at the earliest, and at the latest
	}{
		{"by default", http2.Keepalive{}, 10 * time.Second, 20 * time.Second},
		{"configured", http2.Keepalive{Time: 40 * time.Second, Timeout: 20 * time.Second}, 40 * time.Second, 70 * time.Second},
		{"too often", http2.Keepalive{Time: time.Second}, 10 * time.Second, 20 * time.Second},
		{"switched off", http2.Keepalive{Time: -1}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clientScript(t, http2.Config{Keepalive: tt.keepalive}, func(c *dialed) {
				got := call(c.conn, "")
				c.want("HEADERS 1", "HEADERS 1 POST END")
				began := time.Now()
				at, ended := c.asked(time.Hour, false)
				took := time.Since(began)
				if tt.gone == 0 {
					if len(at) != 0 || ended {
						t.Errorf("the server is asked at %v, and the connection ends after %v", at, took)
					}
					c.write(answer(1, "late"))
					if r := <-got; r.data != "late" {
						t.Error(r)
					}
					return
				}
				if len(at) != 1 || at[0] < tt.first || at[0] > tt.first*5/4 || !ended || took > tt.gone {
					t.Errorf("the server is asked at %v, and the connection ends after %v", at, took)
				}
				if r := <-got; r.err == nil || !strings.Contains(r.err.Error(), "fallen silent") {
					t.Errorf("the call ends with %v", r.err)
				}
			})
		})
	}
}

// TestSilentServerOfShortCalls (R35) would break if a server that is gone were noticed only
// by calls that wait long enough.
func TestSilentServerOfShortCalls(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		began := time.Now()
		for range 3 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			if r := callNow(ctx, c.conn, ""); !errors.Is(r.err, context.DeadlineExceeded) {
				t.Errorf("a call ends with %v", r.err)
			}
			cancel()
			c.asked(4*time.Second, false)
		}
		<-c.conn.Done()
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("the connection ends after %v", took)
		}
	})
	clientScript(t, http2.Config{}, func(c *dialed) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		callNow(ctx, c.conn, "")
		c.want("RST", "HEADERS 1 POST END; RST 1 CANCEL")
		c.write(ping("12345678")) // it is there
		if at, ended := c.asked(time.Hour, false); len(at) != 0 || ended {
			t.Errorf("the server is asked at %v; the connection has ended: %v", at, ended)
		}
	})
}

// TestPingsAreRemembered would break if a client forgot between calls that give up how
// often it has asked: to the server they are PINGs without end.
func TestPingsAreRemembered(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		total := 0
		for range 5 {
			ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
			go callNow(ctx, c.conn, "")
			at, ended := c.asked(40*time.Second, true) // at the end it rests
			cancel()
			if total += len(at); ended {
				t.Error("the connection has ended")
			}
		}
		if total != 2 {
			t.Errorf("the server is asked %d times in three minutes, want 2", total)
		}
	})
}

// TestServerThatOnlyAnswers (R35) would break if a client gave up a server that lives, or
// asked more often than servers allow.
func TestServerThatOnlyAnswers(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		got := call(c.conn, "")
		c.want("HEADERS 1", "HEADERS 1 POST END")
		if at, ended := c.asked(4*time.Minute, true); len(at) != 2 || ended {
			t.Errorf("the server is asked at %v; the connection has ended: %v", at, ended)
		}
		c.write(headers(1, response(), 0))
		if at, ended := c.asked(4*time.Minute, true); len(at) != 2 || ended {
			t.Errorf("after a header section the server is asked at %v; the connection has ended: %v", at, ended)
		}
		c.write(data(1, "x", fEnd))
		if r := <-got; r.data != "x" {
			t.Error(r)
		}
		// There is no call any more.
		if at, ended := c.asked(24*time.Hour, true); len(at) != 0 || ended {
			t.Errorf("without calls the server is asked at %v; the connection has ended: %v", at, ended)
		}
	})
	// Our own server is as strict as others.
	bubble(t, func(t *testing.T) {
		goOn := make(chan struct{})
		p := newBubblePair(t, newPipeListener(pipeSize), handlerFunc(func(s transport.Stream, _ *transport.Header) {
			<-goOn
			_ = s.Send(context.Background(), &transport.Outgoing{Header: &transport.Header{Block: responseBlock}, End: true})
			s.Close()
		}), http2.Config{}, http2.Config{})
		defer p.close()
		got := call(p.conn, "")
		day := time.AfterFunc(24*time.Hour, func() { close(goOn) })
		if r := <-got; r.err != nil || day.Stop() {
			t.Error("before a day is over:", r.err)
		}
	})
}

// TestKeepaliveWithoutCalls would break if the option were none, or a server asked what it
// was not told to.
func TestKeepaliveWithoutCalls(t *testing.T) {
	always := http2.Config{Keepalive: http2.Keepalive{Time: time.Minute, WithoutCalls: true}}
	clientScript(t, always, func(c *dialed) {
		if at, ended := c.asked(10*time.Minute, true); len(at) < 7 || ended {
			t.Errorf("an idle server is asked at %v; the connection has ended: %v", at, ended)
		}
		if at, ended := c.asked(10*time.Minute, false); len(at) != 1 || !ended {
			t.Errorf("an idle server that is gone is asked at %v; the connection has ended: %v", at, ended)
		}
	})
	serverScript(t, always, echo, func(s *served) {
		if at, ended := s.asked(10*time.Minute, true); len(at) < 7 || ended {
			t.Errorf("an idle client is asked at %v; the connection has ended: %v", at, ended)
		}
		if at, ended := s.asked(10*time.Minute, false); len(at) != 1 || !ended {
			t.Errorf("an idle client that is gone is asked at %v; the connection has ended: %v", at, ended)
		}
	})
	serverScript(t, http2.Config{}, echo, func(s *served) {
		s.write(headers(1, request(), 0)) // a call is in flight
		if at, ended := s.asked(24*time.Hour, false); len(at) != 0 || ended {
			t.Errorf("a server asks on its own, at %v; the connection has ended: %v", at, ended)
		}
	})
}

// TestAsksLess (gRFC A8) would break if a client whose server finds that it asks too
// often did not say so, or went on.
func TestAsksLess(t *testing.T) {
	for name, tt := range map[string]struct {
		keepalive http2.Keepalive
		then      time.Duration
	}{
		"configured": {http2.Keepalive{Time: time.Minute}, 2 * time.Minute},
		"by default": {http2.Keepalive{}, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var far *pipeEnd
				d := &http2.Dialer{Config: &http2.Config{Keepalive: tt.keepalive}, DialContext: func(context.Context, string, string) (net.Conn, error) {
					near, end := newPipe(pipeSize)
					far = end
					_, _ = far.Write(join(settings(), settingsAck()))
					return near, nil
				}}
				dial := func() (transport.Conn, *peer) {
					conn, err := d.Dial(t.Context(), transport.Endpoint{Network: "tcp", Address: "script"}, ignoreEvents{}, 0)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadFull(far, make([]byte, len(clientPreface))); err != nil {
						t.Fatal(err)
					}
					return conn, newPeer(t, far)
				}
				calm := raw(tGoAway, 0, 0, slices.Concat(u32(0), u32(uint32(frame.CodeEnhanceYourCalm)), []byte(h2.TooManyPings))...)
				conn, server := dial()
				got := call(conn, "")
				server.write(calm)
				if r := <-got; r.err == nil || !strings.Contains(r.err.Error(), h2.TooManyPings) || !strings.Contains(r.err.Error(), "Keepalive") {
					t.Errorf("the call ends with %v", r.err)
				}
				_ = server.nc.Close()
				<-conn.Done()
				conn, server = dial()
				got = call(conn, "")
				at, ended := server.asked(time.Hour, false)
				if len(at) != 1 || at[0] < tt.then || at[0] > tt.then*5/4 || !ended {
					t.Errorf("the next connection asks at %v; it has ended: %v", at, ended)
				}
				if r := <-got; r.err == nil || !strings.Contains(r.err.Error(), "fallen silent") {
					t.Errorf("the call ends with %v", r.err)
				}
				<-conn.Done()
			})
		})
	}
}
