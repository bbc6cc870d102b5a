package yodel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/inproc"
	"github.com/yodelrpc/yodel/yodeltest"
)

// diary is an Observer that writes down what it is told.
type diary struct {
	mu    sync.Mutex
	lines []string
	// attempt is sent with each attempt, besides its number.
	attempt metadata.MD
	// panics is the event at which it panics, and none has it observe nothing.
	panics yodel.EventKind
	none   bool
}

// beginning stands for what is no Event.
const beginning yodel.EventKind = 255

type diaryKey struct{}

func (d *diary) ObserveCall(ctx context.Context, call *yodel.Call) (context.Context, yodel.Observation) {
	d.note("begins " + call.Method.Name)
	ctx = context.WithValue(ctx, diaryKey{}, "derived")
	switch {
	case d.none:
		return ctx, nil
	case d.panics == beginning:
		panic("an observer's")
	}
	return ctx, d
}

func (d *diary) Attempt(n int) metadata.MD {
	d.note(fmt.Sprint("attempt ", n))
	return append(d.attempt, metadata.Field{Name: "x-attempt", Value: strconv.Itoa(n)})
}

var eventNames = map[yodel.EventKind]string{
	yodel.HeaderReceived: "header received", yodel.HeaderSent: "header sent", yodel.MessageSent: "sent",
	yodel.MessageReceived: "received", yodel.AttemptEnded: "attempt ended", yodel.CallEnded: "ended",
}

func (d *diary) Observe(e yodel.Event) {
	line := eventNames[e.Kind]
	switch e.Kind {
	case yodel.MessageSent, yodel.MessageReceived:
		line += fmt.Sprintf(" %d/%d", e.WireSize, e.Size)
	case yodel.AttemptEnded, yodel.CallEnded:
		line += " " + status.CodeOf(e.Err).String()
	}
	var fields strings.Builder
	for _, f := range e.Metadata {
		fields.WriteString(" " + f.Name + "=" + f.Value)
	}
	d.note(line + fields.String())
	if e.Kind == d.panics {
		panic("an observer's")
	}
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// want says what d has been told once both sides have done all that they had to do.
func (d *diary) want(t *testing.T, whose string, lines ...string) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, lines) {
		t.Errorf("the %s is told\n  %s\nwant\n  %s", whose, strings.Join(d.lines, "; "), strings.Join(lines, "; "))
	}
	d.lines = nil
}

// observedPair is a channel and its server's handler fn, each with its diary.
func observedPair(t *testing.T, register func(*yodel.Server)) (ch *yodel.Channel, client, server *diary) {
	client, server = new(diary), new(diary)
	return yodeltest.New(t, register, yodeltest.Config{
		Channel: yodel.ChannelConfig{Observer: client},
		Server:  yodel.ServerConfig{Observer: server},
	}), client, server
}

func TestObserver(t *testing.T) {
	bubble(t, "unary", func(t *testing.T) {
		ch, client, server := observedPair(t, unaryServer(func(ctx context.Context, req *str) (*str, error) {
			if ctx.Value(diaryKey{}) != "derived" {
				t.Error("the handler has not the Observer's context")
			}
			call := yodel.CallFrom(ctx)
			if n, _ := call.RequestHeader.Get("x-attempt"); n != "1" {
				t.Errorf("the request has the metadata %v", call.RequestHeader)
			}
			return req, errors.Join(call.SetHeader(metadata.MD{{Name: "x-h", Value: "1"}}), call.SetTrailer(metadata.MD{{Name: "x-t", Value: "2"}}))
		}))
		if err := yodel.CallUnary(t.Context(), ch, echoMethod, wrapperspb.String("four"), newStr()); err != nil {
			t.Fatal(err)
		}
		client.want(t, "client", "begins Unary", "attempt 1", "sent 6/6", "header received x-h=1", "received 6/6", "attempt ended OK x-t=2", "ended OK")
		server.want(t, "server", "begins Unary", "received 6/6", "sent 6/6", "header sent x-h=1", "ended OK")
	})
	bubble(t, "streams", func(t *testing.T) {
		ch, client, server := observedPair(t, registerEcho)
		s, err := yodel.CallBidiStream[*str](t.Context(), ch, chatMethod, newStr)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, v := range []string{"a", "bb"} {
			if err := s.Send(wrapperspb.String(v)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Receive(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Receive(); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		client.want(t, "client", "begins Chat", "attempt 1", "sent 3/3", "header received", "received 3/3", "sent 4/4", "received 4/4", "attempt ended OK", "ended OK")
		server.want(t, "server", "begins Chat", "received 3/3", "header sent", "sent 3/3", "received 4/4", "sent 4/4", "ended OK")
	})
	bubble(t, "compressed", func(t *testing.T) {
		ch, client, server := observedPair(t, registerEcho)
		text := wrapperspb.String(strings.Repeat("y", 10_000))
		if err := yodel.CallUnary(t.Context(), ch, echoMethod, text, newStr(), yodel.Compress(&encoding.Gzip{})); err != nil {
			t.Fatal(err)
		}
		sent := client.lines[2]
		var wire, size int
		if _, err := fmt.Sscanf(sent, "sent %d/%d", &wire, &size); err != nil || size != 10_003 || wire > 200 {
			t.Errorf("the client is told %q", sent)
		}
		client.want(t, "client", "begins Unary", "attempt 1", sent, "header received", "received 10003/10003", "attempt ended OK", "ended OK")
		server.want(t, "server", "begins Unary", strings.Replace(sent, "sent", "received", 1), "sent 10003/10003", "header sent", "ended OK")
	})
	bubble(t, "failure", func(t *testing.T) {
		ch, client, server := observedPair(t, unaryServer(func(context.Context, *str) (*str, error) {
			return nil, status.New(status.NotFound, "no such thing")
		}))
		wantCode(t, unary(t.Context(), ch), status.NotFound)
		client.want(t, "client", "begins Unary", "attempt 1", "sent 3/3", "attempt ended NOT_FOUND", "ended NOT_FOUND")
		server.want(t, "server", "begins Unary", "received 3/3", "ended NOT_FOUND")
	})
	bubble(t, "failure that is not shown", func(t *testing.T) {
		ch, client, server := observedPair(t, unaryServer(func(context.Context, *str) (*str, error) { panic("no") }))
		wantCode(t, unary(t.Context(), ch), status.Internal)
		client.want(t, "client", "begins Unary", "attempt 1", "sent 3/3", "attempt ended INTERNAL", "ended INTERNAL")
		server.want(t, "server", "begins Unary", "received 3/3", "ended INTERNAL")
	})
	bubble(t, "a client that goes", func(t *testing.T) {
		ch, client, server := observedPair(t, registerEcho)
		ctx, cancel := context.WithCancel(t.Context())
		s, err := yodel.CallBidiStream[*str](ctx, ch, chatMethod, newStr)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := s.Receive(); status.CodeOf(err) != status.Canceled {
			t.Error(err)
		}
		_ = s.Close()
		_ = ch.Close()
		client.want(t, "client", "begins Chat", "attempt 1", "attempt ended CANCELLED", "ended CANCELLED")
		server.want(t, "server", "begins Chat", "ended CANCELLED")
		wantCode(t, unary(ctx, ch), status.Canceled)
		client.want(t, "client", "begins Unary", "ended CANCELLED")
	})
}

// attemptTwo serves calls that are in their second attempt.
func attemptTwo(t *testing.T) func(*yodel.Server) {
	return unaryServer(func(ctx context.Context, req *str) (*str, error) {
		all := slices.Collect(yodel.CallFrom(ctx).RequestHeader.Values("x-attempt"))
		if !slices.Equal(all, []string{"2"}) {
			t.Errorf("the request is of the attempts %v", all)
		}
		return req, nil
	})
}

// Each try is an attempt of its own, with metadata of its own.
func TestObserverOfAttempts(t *testing.T) {
	bubble(t, "refused once", func(t *testing.T) {
		lis, _ := serveInproc(t, yodel.ServerConfig{}, attemptTwo(t))
		refusals := 1
		client := new(diary)
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Observer: client, Dialer: dialFunc(func(ctx context.Context, e transport.Endpoint, ev transport.ConnEvents) (transport.Conn, error) {
			c, err := lis.Dial(ctx, e, ev, 0)
			return &refusingConn{c, func() error {
				if refusals--; refusals < 0 {
					return nil
				}
				return &transport.Error{Initiator: transport.Peer, Reason: transport.ReasonRefused, Unprocessed: true, Sent: true}
			}}, err
		})})
		if err := unary(t.Context(), ch); err != nil {
			t.Error(err)
		}
		client.want(t, "client", "begins Unary", "attempt 1", "attempt ended UNAVAILABLE", "attempt 2", "sent 3/3", "header received", "received 3/3", "attempt ended OK", "ended OK")
	})
	bubble(t, "refused after it was sent", func(t *testing.T) {
		lis := inproc.NewListener(inproc.Config{})
		server := yodel.NewServer(yodel.ServerConfig{})
		attemptTwo(t)(server)
		refusals := 1
		served := make(chan error, 1)
		go func() { served <- server.ServeTransport(t.Context(), &refusingListener{lis, &refusals}) }()
		client := new(diary)
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Observer: client, Dialer: lis})
		if err := unary(t.Context(), ch); err != nil {
			t.Error(err)
		}
		client.want(t, "client", "begins Unary", "attempt 1", "sent 3/3", "attempt ended UNAVAILABLE", "attempt 2", "sent 3/3", "header received", "received 3/3", "attempt ended OK", "ended OK")
		_ = ch.Close()
		if err := errors.Join(server.Shutdown(t.Context()), <-served); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "metadata that cannot be sent", func(t *testing.T) {
		ch, client, _ := observedPair(t, registerEcho)
		client.attempt = metadata.MD{{Name: "x y", Value: "1"}}
		wantCode(t, unary(t.Context(), ch), status.Internal, "x y")
	})
}

// An Observer that panics costs a server's call alone, and one that wants to be told of
// nothing still gives the call its context.
func TestObserverThatPanics(t *testing.T) {
	for kind, code := range map[yodel.EventKind]status.Code{
		beginning: status.Internal, yodel.MessageReceived: status.OK, yodel.MessageSent: status.OK, yodel.HeaderSent: status.OK, yodel.CallEnded: status.OK,
	} {
		bubble(t, "at "+eventNames[kind], func(t *testing.T) {
			server := &diary{panics: kind}
			ch, s := yodeltest.NewPair(t, registerEcho, yodeltest.Config{Server: yodel.ServerConfig{Observer: server}})
			wantCode(t, unary(t.Context(), ch), code)
			synctest.Wait()
			if n := s.Panics(); n != 1 {
				t.Errorf("%d panics are counted", n)
			}
		})
	}
	bubble(t, "none", func(t *testing.T) {
		d := &diary{none: true}
		ch := yodeltest.New(t, unaryServer(func(ctx context.Context, req *str) (*str, error) {
			if ctx.Value(diaryKey{}) != "derived" {
				t.Error("the handler has not the Observer's context")
			}
			return req, nil
		}), yodeltest.Config{Server: yodel.ServerConfig{Observer: d}})
		if err := unary(t.Context(), ch); err != nil {
			t.Error(err)
		}
		d.want(t, "server", "begins Unary")
	})
}
