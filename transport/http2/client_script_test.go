package http2_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// TestDialWaitsForSettings would break if Dial returned before the peer has
// shown that it speaks HTTP/2, or waited for ever.
func TestDialWaitsForSettings(t *testing.T) {
	for _, tt := range []struct {
		name  string
		bytes []byte
		eof   bool
		want  string
		took  time.Duration
	}{
		{"silence", nil, false, "within 10s", 10 * time.Second},
		{"half of SETTINGS", settings(1, 1)[:10], false, "within 10s", 10 * time.Second},
		{"closed", nil, true, "connection lost", 0},
		{"an ack first", settingsAck(), false, "instead of SETTINGS", 0},
		{"PING first", ping("12345678"), false, "instead of SETTINGS", 0},
		{"GOAWAY first", goAway(0, frame.CodeNo), false, "instead of SETTINGS", 0},
		{"HTTP/1.1", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), false, "", 0},
		{"ENABLE_PUSH of 1", settings(2, 1), false, "SETTINGS_ENABLE_PUSH", 0},
		{"GOAWAY at once", join(settings(), goAway(0, frame.CodeNo)), false, "GOAWAY", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				near, far := newPipe(pipeSize)
				_, _ = far.Write(tt.bytes)
				if tt.eof {
					_ = far.Close()
				}
				start := time.Now()
				_, err := dialPipe(near, http2.Config{}, newRecordEvents())
				de, ok := errors.AsType[*transport.DialError](err)
				if !ok || de.Phase != transport.PhaseSettings || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Dial returned %v, want a DialError of the settings phase with %q", err, tt.want)
				}
				if d := time.Since(start); d != tt.took {
					t.Errorf("it took %v, want %v", d, tt.took)
				}
				_ = far.Close()
			})
		})
	}
	t.Run("silence, limit off", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			near, far := newPipe(pipeSize)
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			d := &http2.Dialer{
				Config:      &http2.Config{Limits: http2.Limits{HandshakeTime: -1, SettingsTime: -1}},
				DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil },
			}
			if _, err := d.Dial(ctx, transport.Endpoint{}, ignoreEvents{}, 0); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Dial returned %v, want the context's end", err)
			}
			_ = far.Close()
		})
	})
}

// clientCases are what a server answers to the first call, stream 1, and what
// becomes of the call; then what the server sees after the call's HEADERS.
var clientCases = []struct {
	name   string
	frames []byte
	call   string
	want   string
}{
	{"an answer", answer(1, "world"), `200 "world" ok`, "alive"},
	{"no body", join(headers(1, response(), 0), headers(1, trailers(), fEnd)), `200 "" ok`, "alive"},
	{"trailers only", headers(1, response(), fEnd), `200 "" `, "alive"},
	{"no trailers", join(headers(1, response(), 0), data(1, "x", fEnd)), `200 "x" `, "alive"},
	{"interim responses", join(headers(1, fields(":status", "100"), 0), headers(1, fields(":status", "103", "a", "b"), 0), answer(1, "x")), `200 "x" ok`, "alive"},
	{"an interim response that ends the stream", headers(1, fields(":status", "100"), fEnd), "protocol error", "RST 1 PROTOCOL_ERROR; alive"},
	{"an interim response after the answer", join(headers(1, response(), 0), headers(1, fields(":status", "100"), 0)), "protocol error", "RST 1 PROTOCOL_ERROR; alive"},
	{"101", headers(1, fields(":status", "101"), 0), "protocol error", "RST 1 PROTOCOL_ERROR; alive"},
	{"no status", headers(1, fields("a", "b"), fEnd), "protocol error", "RST 1 PROTOCOL_ERROR; alive"},
	{"a status of two digits", headers(1, fields(":status", "20"), fEnd), "protocol error", "RST 1 PROTOCOL_ERROR; alive"},
	{"a request's pseudo-header field", headers(1, fields(":status", "200", ":path", "/"), fEnd), "protocol error", "RST 1 PROTOCOL_ERROR; alive"},
	{"DATA before HEADERS", data(1, "x", 0), "protocol error", "RST 1 PROTOCOL_ERROR; alive"},
	{"HEADERS in mid-stream without END_STREAM", join(headers(1, response(), 0), headers(1, trailers(), 0)), "protocol error", "RST 1 PROTOCOL_ERROR; alive"},
	{"a status in trailers", join(headers(1, response(), 0), headers(1, fields(":status", "200"), fEnd)), "protocol error", "RST 1 PROTOCOL_ERROR; alive"},
	{"DATA after the end", join(answer(1, "x"), data(1, "y", 0)), `200 "x" ok`, "RST 1 STREAM_CLOSED; alive"},
	{"HEADERS after the end", join(answer(1, "x"), headers(1, trailers(), fEnd)), `200 "x" ok`, "RST 1 STREAM_CLOSED; alive"},
	{"RST_STREAM after the end", join(answer(1, "x"), reset(1, frame.CodeNo)), `200 "x" ok`, "alive"},
	{"WINDOW_UPDATE after the end", join(answer(1, "x"), window(1, 10)), `200 "x" ok`, "alive"},
	{"content-length", join(headers(1, response("content-length", "1"), 0), data(1, "x", fEnd)), `200 "x" `, "alive"},
	{"content-length of more than there is", join(headers(1, response("content-length", "2"), 0), data(1, "x", fEnd)), "protocol error", "RST 1 PROTOCOL_ERROR; alive"},
	{"content-length of less than there is", join(headers(1, response("content-length", "1"), 0), data(1, "xy", fEnd)), "protocol error", "RST 1 PROTOCOL_ERROR; alive"},
	{"content-length of more than there is, and trailers", join(headers(1, response("content-length", "2"), 0), data(1, "x", 0), headers(1, trailers(), fEnd)), "protocol error", "RST 1 PROTOCOL_ERROR; alive"},
	{"padded DATA", join(headers(1, response(), 0), padded(1, "x", 200, fEnd)), `200 "x" `, "alive"},
	{"CONTINUATION", join(raw(tHeaders, 0, 1, response()[:5]...), raw(tContinuation, fEndHeaders, 1, response()[5:]...), headers(1, trailers(), fEnd)), `200 "" ok`, "alive"},

	{"REFUSED_STREAM", reset(1, frame.CodeRefusedStream), "refused, unprocessed", "alive"},
	{"CANCEL", reset(1, frame.CodeCancel), "canceled", "alive"},
	{"INTERNAL_ERROR", reset(1, frame.CodeInternal), "internal error", "alive"},
	{"ENHANCE_YOUR_CALM", reset(1, frame.CodeEnhanceYourCalm), "too much load", "alive"},
	{"INADEQUATE_SECURITY", reset(1, frame.CodeInadequateSecurity), "insufficient security", "alive"},
	{"FLOW_CONTROL_ERROR", reset(1, frame.CodeFlowControl), "flow control error", "alive"},
	{"an unknown code", reset(1, 0x1234), "protocol error", "alive"},
	{"NO_ERROR before the end", reset(1, frame.CodeNo), "no error", "alive"},
	{"RST_STREAM in mid-answer", join(headers(1, response(), 0), data(1, "x", 0), reset(1, frame.CodeInternal)), "internal error", "alive"},

	{"WINDOW_UPDATE of 0", window(1, 0), "protocol error", "RST 1 PROTOCOL_ERROR; alive"},
	{"overflow of the stream's window", window(1, 1<<31-1), "flow control error", "RST 1 FLOW_CONTROL_ERROR; alive"},
	{"overflow of the connection's window", window(0, 1<<31-1), "flow control error", "GOAWAY 0 FLOW_CONTROL_ERROR; closed"},
	{"PUSH_PROMISE", raw(tPush, fEndHeaders, 1, append(u32(2), request()...)...), "protocol error", "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"a stream of the server's", headers(2, response(), 0), "protocol error", "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"HEADERS on an idle stream", headers(3, response(), 0), "protocol error", "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"DATA on an idle stream", data(3, "x", 0), "protocol error", "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"RST_STREAM on an idle stream", reset(3, frame.CodeCancel), "protocol error", "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"SETTINGS with a bad value", settings(5, 1), "protocol error", "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"a block that cannot be decoded", headers(1, []byte{0x80}, fEnd), "protocol error", "GOAWAY 0 COMPRESSION_ERROR; closed"},
	{"a frame that is too long", rawLen(128<<10+1, tData, 0, 1), "protocol error", "GOAWAY 0 FRAME_SIZE_ERROR; closed"},

	{"GOAWAY below", goAway(0, frame.CodeNo), "no error, unprocessed", "GOAWAY 0 NO_ERROR; closed"},
	{"GOAWAY at the stream", join(goAway(1, frame.CodeNo), answer(1, "x")), `200 "x" ok`, "GOAWAY 0 NO_ERROR; closed"},
	{"GOAWAY above", join(goAway(1<<31-1, frame.CodeNo), answer(1, "x")), `200 "x" ok`, "GOAWAY 0 NO_ERROR; closed"},
	{"GOAWAY with an error below", goAway(0, frame.CodeEnhanceYourCalm), "too much load, unprocessed", "GOAWAY 0 NO_ERROR; closed"},
	{"GOAWAY in two steps", join(goAway(1<<31-1, frame.CodeNo), goAway(1, frame.CodeNo), answer(1, "x")), `200 "x" ok`, "GOAWAY 0 NO_ERROR; closed"},
	{"GOAWAY in two steps, the second below", join(goAway(1<<31-1, frame.CodeNo), goAway(0, frame.CodeNo)), "no error, unprocessed", "GOAWAY 0 NO_ERROR; closed"},
	{"GOAWAY with a growing id", join(goAway(1, frame.CodeNo), goAway(3, frame.CodeNo)), "protocol error", "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"GOAWAY with an even id", goAway(2, frame.CodeNo), "protocol error", "GOAWAY 0 PROTOCOL_ERROR; closed"},
}

// TestClientProtocol answers a client's call with all that RFC 9113 allows and
// forbids.
func TestClientProtocol(t *testing.T) {
	for _, tt := range clientCases {
		t.Run(tt.name, func(t *testing.T) {
			clientScript(t, http2.Config{}, func(c *dialed) {
				got := call(c.conn, "")
				c.want("HEADERS 1", "HEADERS 1 POST END")
				c.write(tt.frames)
				r := <-got
				what := r.String()
				if r.err != nil {
					e := asError(t, r.err)
					what = e.Reason.String()
					if e.Unprocessed {
						what += ", unprocessed"
					}
					if !e.Sent {
						t.Error("the stream counts as never sent")
					}
				}
				if what != tt.call {
					t.Errorf("the call led to %s (%v), want %s", what, r.err, tt.call)
				}
				want := strings.Replace(tt.want, "GOAWAY 0 NO_ERROR; closed", "closed", 1)
				if out := strings.Replace(c.outcome(), "GOAWAY 0 NO_ERROR; closed", "closed", 1); out != want {
					t.Errorf("the server saw\n  %s\nwant\n  %s", out, want)
				}
			})
		})
	}
}

// TestClientIsTold would break if the owner of a connection did not hear, once,
// that it drains and that it has ended, or heard it in the wrong order.
func TestClientIsTold(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(c *dialed)
		want transport.Reason
	}{
		{"GOAWAY", func(c *dialed) { c.write(goAway(0, frame.CodeEnhanceYourCalm)) }, transport.ReasonTooMuch},
		{"lost", func(c *dialed) { c.end.cut() }, transport.ReasonLost},
		{"closed", func(c *dialed) { _ = c.end.Close() }, transport.ReasonLost},
		{"an error", func(c *dialed) { c.write(window(0, 0)) }, transport.ReasonProtocol},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clientScript(t, http2.Config{}, func(c *dialed) {
				tt.end(c)
				<-c.conn.Done()
				time.Sleep(time.Minute)
				if len(c.events.draining) != 1 || len(c.events.closed) != 1 {
					t.Fatalf("told of draining %d times and of the end %d times", len(c.events.draining), len(c.events.closed))
				}
				if e := asError(t, <-c.events.closed); e.Reason != tt.want || e.Scope != transport.ScopeConn {
					t.Errorf("told that the connection ended with %v", e)
				}
				_, err := c.open(context.Background())
				if e := asError(t, err); !e.Unprocessed || e.Sent {
					t.Errorf("Open on it failed with %+v, want unprocessed and not sent", e)
				}
			})
		})
	}
	t.Run("draining with a stream in flight", func(t *testing.T) {
		clientScript(t, http2.Config{Keepalive: http2.Keepalive{Time: -1}}, func(c *dialed) {
			got := call(c.conn, "")
			c.want("HEADERS 1", "HEADERS 1 POST END")
			c.write(goAway(1, frame.CodeNo))
			<-c.events.draining
			if _, err := c.open(context.Background()); !asError(t, err).Unprocessed {
				t.Errorf("Open on a draining connection: %v", err)
			}
			time.Sleep(time.Hour)
			if len(c.events.closed) > 0 {
				t.Error("closed while a stream was in flight")
			}
			c.write(answer(1, "late"))
			if r := <-got; r.data != "late" {
				t.Error(r)
			}
			<-c.events.closed
		})
	})
}

// TestClientDrain would break if Drain lost a call in flight or left the
// connection open behind the last one.
func TestClientDrain(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		got := call(c.conn, "")
		c.want("HEADERS 1", "HEADERS 1 POST END")
		c.conn.Drain()
		c.wantOutcome("alive")
		if _, err := c.open(context.Background()); !asError(t, err).Unprocessed {
			t.Errorf("Open on a draining connection: %v", err)
		}
		c.write(answer(1, "x"))
		if r := <-got; r.data != "x" {
			t.Error(r)
		}
		c.wantEnd("GOAWAY 0 NO_ERROR; closed")
		<-c.conn.Done()
	})
	clientScript(t, http2.Config{}, func(c *dialed) {
		c.conn.Drain()
		c.wantEnd("GOAWAY 0 NO_ERROR; closed")
		<-c.conn.Done()
	})
}

// TestClientEarlyEnd would break if a client whose answer is complete went on
// sending, or told the server that it is not interested in what it has.
func TestClientEarlyEnd(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		ctx := context.Background()
		s, err := c.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
		if err != nil {
			t.Fatal(err)
		}
		sent := make(chan error, 1)
		go func() { sent <- s.Send(ctx, &transport.Outgoing{Data: make([]byte, 100_000)}) }()
		synctest.Wait() // the window is used up
		c.write(answer(1, "enough"))
		if err := <-sent; !errors.Is(err, transport.ErrEnded) {
			t.Errorf("a Send that waited returned %v, want ErrEnded", err)
		}
		if err := s.Send(ctx, &transport.Outgoing{Data: []byte("x")}); !errors.Is(err, transport.ErrEnded) {
			t.Errorf("Send returned %v, want ErrEnded", err)
		}
		got, ended, err := s.Await(ctx, everything)
		if string(got) != "enough" || !ended || err != nil {
			t.Errorf("the answer is %q, %v, %v", got, ended, err)
		}
		s.Discard(len(got))
		s.Close()
		if got := c.until("RST"); !strings.HasSuffix(got, "; RST 1 NO_ERROR") {
			t.Errorf("the server saw %s", got)
		}
		c.wantOutcome("alive")
	})
	// The server says itself that it wants no more; the answer stands.
	clientScript(t, http2.Config{}, func(c *dialed) {
		s, err := c.conn.Open(context.Background(), &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
		if err != nil {
			t.Fatal(err)
		}
		c.write(answer(1, "enough"), reset(1, frame.CodeNo))
		c.wantOutcome("HEADERS 1 POST; alive")
		got, ended, err := s.Await(context.Background(), everything)
		if string(got) != "enough" || !ended || err != nil {
			t.Errorf("the answer is %q, %v, %v", got, ended, err)
		}
		if err := s.Send(context.Background(), &transport.Outgoing{End: true}); !errors.Is(err, transport.ErrEnded) {
			t.Errorf("Send returned %v, want ErrEnded", err)
		}
		s.Close()
		c.wantOutcome("alive")
	})
}

// TestMaxConcurrentStreams would break if a client opened more streams than the
// server allows, or forgot who waits for one.
func TestMaxConcurrentStreams(t *testing.T) {
	path := func(i int) *transport.Header {
		return &transport.Header{Block: &transport.Block{Method: "POST", Scheme: "http", Authority: "a", Path: fmt.Sprintf("/%d", i)}}
	}
	type opened struct {
		i   int
		s   transport.Stream
		err error
	}
	t.Run("first come, first served", func(t *testing.T) {
		clientScript(t, http2.Config{}, func(c *dialed) {
			done := make(chan opened, 100)
			for i := range 10 {
				go func() {
					s, err := c.conn.Open(context.Background(), &transport.Outgoing{Header: path(i), End: true})
					done <- opened{i, s, err}
				}()
				synctest.Wait()
			}
			c.wantOutcome("HEADERS 1 POST END; HEADERS 3 POST END; alive")
			if n := len(done); n != 2 {
				t.Fatalf("%d streams are open, want 2", n)
			}
			for i := range 10 {
				o := <-done
				if o.err != nil || o.i != i {
					t.Fatalf("number %d was let through as number %d, %v", o.i, i, o.err)
				}
				o.s.Close()
				synctest.Wait()
			}
		}, 3, 2)
	})
	t.Run("none, then some", func(t *testing.T) {
		clientScript(t, http2.Config{}, func(c *dialed) {
			done := make(chan opened, 100)
			for i := range 6 {
				go func() {
					s, err := c.conn.Open(context.Background(), &transport.Outgoing{Header: path(i), End: true})
					done <- opened{i, s, err}
				}()
			}
			c.wantOutcome("alive")
			c.write(settings(3, 3))
			c.wantOutcome("HEADERS 1 POST END; HEADERS 3 POST END; HEADERS 5 POST END; alive")
			c.write(settings(3, 1)) // less than there are: they stay
			c.wantOutcome("alive")
			(<-done).s.Close()
			(<-done).s.Close()
			synctest.Wait()
			if n := len(done); n != 1 {
				t.Errorf("%d more streams are open, want the one that was", n)
			}
			c.write(settings(3, 1<<32-1))
			synctest.Wait()
			for range 4 {
				(<-done).s.Close()
			}
		}, 3, 0)
	})
	t.Run("a context that ends", func(t *testing.T) {
		clientScript(t, http2.Config{}, func(c *dialed) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			start := time.Now()
			_, err := c.open(ctx)
			e := asError(t, err)
			if !errors.Is(err, context.DeadlineExceeded) || !e.Unprocessed || e.Sent || time.Since(start) != time.Second {
				t.Errorf("Open returned %+v after %v", err, time.Since(start))
			}
			if b := http2.BooksOf(c.conn); b.Openings+b.Streams+b.Active != 0 {
				t.Errorf("it left %+v", b)
			}
		}, 3, 0)
	})
	t.Run("the connection's end", func(t *testing.T) {
		clientScript(t, http2.Config{}, func(c *dialed) {
			done := make(chan error, 10)
			for range 5 {
				go func() {
					_, err := c.open(context.Background())
					done <- err
				}()
			}
			synctest.Wait()
			c.write(goAway(0, frame.CodeNo))
			for range 5 {
				if e := asError(t, <-done); !e.Unprocessed || e.Sent {
					t.Errorf("a waiter was told %+v", e)
				}
			}
		}, 3, 0)
	})
}

// TestStreamIDsRunOut (R15) would break if a client used a connection until the
// last stream id, or reused one.
func TestStreamIDsRunOut(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		http2.RenewIDs(c.conn, 7)
		var open []transport.Stream
		for range 10 {
			s, err := c.open(context.Background())
			if err != nil {
				if e := asError(t, err); !e.Unprocessed || e.Sent {
					t.Errorf("Open failed with %+v", e)
				}
				break
			}
			open = append(open, s)
		}
		if len(open) < 3 || len(open) > 4 {
			t.Errorf("%d streams before the end, want 3 or 4", len(open))
		}
		synctest.Wait()
		if len(c.events.draining) != 1 {
			t.Error("the owner was not told to replace the connection")
		}
		for i := range open {
			c.write(answer(uint32(2*i+1), "x"))
		}
		for _, s := range open {
			if got, _, err := s.Await(context.Background(), everything); string(got) != "x" {
				t.Errorf("a stream in flight: %q, %v", got, err)
			}
			s.Close()
		}
		<-c.conn.Done()
	})
}

// TestClientWindows would break if a client did not follow the server's windows.
func TestClientWindows(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		got := call(c.conn, strings.Repeat("x", 50))
		c.wantOutcome("HEADERS 1 POST; DATA 1 10; alive")
		c.write(settings(4, 0)) // -10
		c.write(window(1, 10))
		c.wantOutcome("alive")
		c.write(window(1, 5))
		c.wantOutcome("DATA 1 5; alive")
		c.write(settings(4, 1<<31-1-10)) // the largest that there can be now
		c.wantOutcome("DATA 1 35 END; alive")
		c.write(answer(1, ""))
		if r := <-got; r.err != nil {
			t.Error(r)
		}
	}, 4, 10)
}

// TestHeaderThatThePeerRefuses would break if a header section went out that is
// larger than the peer accepts.
func TestHeaderThatThePeerRefuses(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		_, err := c.conn.Open(context.Background(), &transport.Outgoing{Header: &transport.Header{
			Block: requestBlock, More: []transport.Field{{Name: "big", Value: strings.Repeat("x", 500)}},
		}, End: true})
		if e := asError(t, err); e.Reason != transport.ReasonHeaderTooLarge || e.Unprocessed {
			t.Errorf("Open returned %+v", e)
		}
		if b := http2.BooksOf(c.conn); b.Streams+b.Active != 0 {
			t.Errorf("it left %+v", b)
		}
		c.wantOutcome("alive")
		got := call(c.conn, "")
		var id uint32
		if _, err := fmt.Sscanf(c.until("HEADERS"), "HEADERS %d POST END", &id); err != nil {
			t.Error(err)
		}
		c.write(answer(id, "x"))
		if r := <-got; r.err != nil {
			t.Error(r)
		}
	}, 6, 500)
}
