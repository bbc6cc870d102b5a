package yodel_test

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/inproc"
)

// These tests put a peer that breaks the rules on either side: it speaks to the
// transport itself.

type field = transport.Field

func envelopeOf(flags byte, payload []byte) []byte {
	b := append([]byte{flags, 0, 0, 0, 0}, payload...)
	binary.BigEndian.PutUint32(b[1:], uint32(len(payload)))
	return b
}

func message(text string) []byte {
	b, err := proto.Marshal(wrapperspb.String(text))
	if err != nil {
		panic(err)
	}
	return envelopeOf(0, b)
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	b, err := (&encoding.Gzip{}).Compress(nil, message(text)[5:])
	if err != nil {
		t.Fatal(err)
	}
	return envelopeOf(1, b)
}

func section(httpStatus int, fields ...field) *transport.Header {
	return &transport.Header{Block: &transport.Block{Status: httpStatus, Fields: fields}}
}

var (
	grpcType = field{Name: "content-type", Value: "application/grpc"}
	statusOK = section(0, field{Name: "grpc-status", Value: "0"})
)

// rawServer answers every stream with out, once the request has ended.
func rawServer(t *testing.T, answer func(s transport.Stream)) *inproc.Listener {
	t.Helper()
	lis := inproc.NewListener(inproc.Config{})
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = lis.Serve(handlerFunc(func(s transport.Stream, _ *transport.Header) {
			defer s.Close()
			if _, _, err := s.Await(context.Background(), func(b []byte) int { return len(b) + 1 }); err == nil {
				answer(s)
			}
		}))
	}()
	t.Cleanup(func() {
		lis.Close(errTestDone)
		<-served
	})
	return lis
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

type watch chan error

func (w watch) StreamFailed(err error) { w <- err }

type answer struct {
	name  string
	out   transport.Outgoing
	code  status.Code
	texts []string
}

func answers() []answer {
	head := section(200, grpcType)
	a, b := message("a"), message("b")
	gzip := section(200, grpcType, field{Name: "grpc-encoding", Value: "gzip"})
	return []answer{
		{"one message", transport.Outgoing{Header: head, Data: a, Trailer: statusOK}, status.OK, nil},
		{"no message", transport.Outgoing{Header: head, Trailer: statusOK}, status.Unimplemented, []string{"no response"}},
		{"two messages", transport.Outgoing{Header: head, Data: join(a, b), Trailer: statusOK}, status.Unimplemented, []string{"more than one"}},
		{"message and failure", transport.Outgoing{Header: head, Data: a, Trailer: section(0, field{Name: "grpc-status", Value: "5"}, field{Name: "grpc-message", Value: "gone%21"})}, status.NotFound, []string{`"gone!"`}},
		{"truncated", transport.Outgoing{Header: head, Data: a[:len(a)-1], Trailer: statusOK}, status.Internal, []string{"middle of a message"}},
		{"bad flags", transport.Outgoing{Header: head, Data: []byte{7, 0, 0, 0, 0, 0}, Trailer: statusOK}, status.Internal, []string{"flags 0x7"}},
		{"lying length", transport.Outgoing{Header: head, Data: []byte{0, 0xff, 0xff, 0xff, 0xff, 1}}, status.ResourceExhausted, []string{"4294967295", "4194304", "MaxReceiveBytes", "/test.Echo/", "client"}},
		{"not protobuf", transport.Outgoing{Header: head, Data: envelopeOf(0, []byte{0xff}), Trailer: statusOK}, status.Internal, []string{"decoded"}},
		{"compressed without saying so", transport.Outgoing{Header: head, Data: envelopeOf(1, []byte{1}), Trailer: statusOK}, status.Internal, []string{"no compression"}},
		{"compressed with garbage", transport.Outgoing{Header: gzip, Data: envelopeOf(1, []byte{1}), Trailer: statusOK}, status.Internal, []string{"decompressed"}},
		{"unknown compression", transport.Outgoing{Header: section(200, grpcType, field{Name: "grpc-encoding", Value: "lzma"}), Data: a, Trailer: statusOK}, status.Internal, []string{"lzma"}},
		{"trailers only", transport.Outgoing{Header: section(200, grpcType, field{Name: "grpc-status", Value: "7"}), End: true}, status.PermissionDenied, nil},
		{"a status before the message", transport.Outgoing{Header: section(200, grpcType, field{Name: "grpc-status", Value: "7"}), Data: a, End: true}, status.Unknown, []string{"without a grpc-status"}},
		{"no status", transport.Outgoing{Header: head, Data: a, End: true}, status.Unknown, []string{"without a grpc-status"}},
		{"no trailers and no message", transport.Outgoing{Header: head, End: true}, status.Unknown, nil},
		{"bad status", transport.Outgoing{Header: head, Data: a, Trailer: section(0, field{Name: "grpc-status", Value: "99"})}, status.Unknown, []string{"99"}},
		{"HTTP 503", transport.Outgoing{Header: section(503, field{Name: "content-type", Value: "text/html"}), Data: []byte("<html>"), End: true}, status.Unavailable, []string{"503"}},
		{"HTTP 404", transport.Outgoing{Header: section(404), End: true}, status.Unimplemented, []string{"404"}},
		{"not gRPC", transport.Outgoing{Header: section(200, field{Name: "content-type", Value: "text/html"}), Data: []byte("<html>"), End: true}, status.Unknown, []string{"text/html"}},
	}
}

// What a client makes of each answer, on both paths of a unary call and on a
// server stream, where any number of messages is right.
func TestAnswers(t *testing.T) {
	for _, a := range answers() {
		serve := func(s transport.Stream) {
			_ = s.Send(context.Background(), &a.out)
			if a.out.Trailer == nil && !a.out.End {
				// The client must not wait for more.
				reset := make(watch, 1)
				if s.Watch(reset) == nil {
					<-reset
				}
			}
		}
		bothPaths(t, a.name, func(t *testing.T, cfg yodelConfig) {
			cfg.Channel.Dialer = rawServer(t, serve)
			ch := newChannel(t, "a:1", cfg.Channel)
			for range 2 { // the second call finds what the first remembered
				wantCode(t, unary(t.Context(), ch), a.code, a.texts...)
			}
		})
		bubble(t, a.name+"/server stream", func(t *testing.T) {
			ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: rawServer(t, serve)})
			var last error
			for _, err := range yodel.CallServerStream(t.Context(), ch, downMethod, newStr(), newStr) {
				last = err
			}
			if a.code == status.Unimplemented && a.out.Trailer == statusOK {
				wantCode(t, last, status.OK)
			} else {
				wantCode(t, last, a.code, a.texts...)
			}
		})
	}
}

// A bomb stops at the limit: what it would become is not made.
func TestDecompressionLimit(t *testing.T) {
	bothPaths(t, "bomb", func(t *testing.T, cfg yodelConfig) {
		bomb := gzipped(t, strings.Repeat("0", 1<<20))
		cfg.Channel.Dialer = rawServer(t, func(s transport.Stream) {
			_ = s.Send(context.Background(), &transport.Outgoing{
				Header: section(200, grpcType, field{Name: "grpc-encoding", Value: "gzip"}), Data: bomb, Trailer: statusOK,
			})
		})
		cfg.Channel.MaxReceiveBytes = 1 << 19
		ch := newChannel(t, "a:1", cfg.Channel)
		wantCode(t, unary(t.Context(), ch), status.ResourceExhausted, "524288", "MaxReceiveBytes")
		if err := unary(t.Context(), ch, yodel.MaxReceiveBytes(2<<20)); err != nil {
			t.Error("with the limit raised for one call:", err)
		}
	})
}

// rawCall opens a stream to a server, and returns what it answers.
func rawCall(t *testing.T, lis *inproc.Listener, head *transport.Block, more []field, data []byte) (*transport.Header, []byte, *transport.Header) {
	t.Helper()
	c, err := lis.Dial(t.Context(), transport.Endpoint{}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(errTestDone)
	s, err := c.Open(t.Context(), &transport.Outgoing{Header: &transport.Header{Block: head, More: more}, Data: data, End: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, ended, err := s.Await(t.Context(), func(b []byte) int { return len(b) + 1 })
	if err != nil || !ended {
		t.Fatalf("ended %v, %v", ended, err)
	}
	h, err := s.Header(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h, append([]byte(nil), b...), s.Trailer()
}

func post(path string, fields ...field) *transport.Block {
	return &transport.Block{Method: "POST", Scheme: "http", Authority: "a", Path: path, Fields: append([]field{grpcType}, fields...)}
}

// verdict returns the status that a raw answer has.
func verdict(h, tr *transport.Header) (code, text string) {
	if tr == nil {
		tr = h
	}
	code, _ = tr.Get("grpc-status")
	text, _ = tr.Get("grpc-message")
	return code, text
}

// What a server makes of each request.
func TestRequests(t *testing.T) {
	a, b := message("a"), message("b")
	cases := []struct {
		name string
		head *transport.Block
		more []field
		data []byte
		code string
		says string
	}{
		{"one message", post("/test.Echo/Unary"), nil, a, "0", ""},
		{"timeout and metadata", post("/test.Echo/Unary"), []field{{Name: "x", Value: "y"}, {Name: "grpc-timeout", Value: "1S"}}, a, "0", ""},
		{"no message", post("/test.Echo/Unary"), nil, nil, "12", "no request"},
		{"two messages", post("/test.Echo/Unary"), nil, join(a, b), "12", "more than one"},
		{"two messages to a server stream", post("/test.Echo/Down"), nil, join(a, b), "12", "more than one"},
		{"truncated", post("/test.Echo/Unary"), nil, a[:6], "13", "middle"},
		{"truncated stream", post("/test.Echo/Chat"), nil, a[:6], "13", "middle"},
		{"bad flags", post("/test.Echo/Unary"), nil, []byte{9, 0, 0, 0, 0}, "13", "flags"},
		{"lying length", post("/test.Echo/Unary"), nil, []byte{0, 0xff, 0xff, 0xff, 0xff}, "8", "ServerConfig.MaxReceiveBytes"},
		{"not protobuf", post("/test.Echo/Unary"), nil, envelopeOf(0, []byte{0xff}), "13", "decoded"},
		{"unknown service", post("/test.Nothing/Unary"), nil, a, "12", "unknown service"},
		{"unknown method", post("/test.Echo/Nothing"), nil, a, "12", "unknown method"},
		{"path with a query", post("/test.Echo/Unary?x"), nil, a, "12", "names no method"},
		{"path with too much", post("//test.Echo/Unary"), nil, a, "12", "names no method"},
		{"bad timeout", post("/test.Echo/Unary"), []field{{Name: "grpc-timeout", Value: "1x"}}, a, "13", "grpc-timeout"},
		{"two timeouts", post("/test.Echo/Unary", field{Name: "grpc-timeout", Value: "1S"}), []field{{Name: "grpc-timeout", Value: "1S"}}, a, "13", "twice"},
		{"no time left", post("/test.Echo/Unary"), []field{{Name: "grpc-timeout", Value: "0n"}}, a, "4", "deadline"},
		{"unknown compression", post("/test.Echo/Unary", field{Name: "grpc-encoding", Value: "lzma"}), nil, a, "12", "lzma"},
		{"compressed without saying so", post("/test.Echo/Unary"), nil, envelopeOf(1, []byte{1}), "13", "no compression"},
		{"bad base64", post("/test.Echo/Unary"), []field{{Name: "x-bin", Value: "!"}}, a, "13", "base64"},
	}
	for _, c := range cases {
		bubble(t, c.name, func(t *testing.T) {
			lis, _ := serveInproc(t, yodel.ServerConfig{}, registerEcho)
			for range 2 { // the second call finds what the first remembered
				h, _, tr := rawCall(t, lis, c.head, c.more, c.data)
				code, text := verdict(h, tr)
				if code != c.code || !strings.Contains(text, c.says) {
					t.Errorf("status %s %q, want %s and %q", code, text, c.code, c.says)
				}
				if c.code != "0" && tr != nil {
					t.Error("a failure before the first message has a section of its own: it cannot be retried (gRFC A6)")
				}
				if c.name == "unknown compression" {
					if list, _ := h.Get("grpc-accept-encoding"); list != "gzip" {
						t.Errorf("grpc-accept-encoding is %q", list)
					}
				}
			}
		})
	}
}

// What is not gRPC is told so in HTTP's terms.
func TestNotGRPC(t *testing.T) {
	get := post("/")
	get.Method = "GET"
	html := &transport.Block{Method: "POST", Path: "/test.Echo/Unary", Fields: []field{{Name: "content-type", Value: "text/html"}}}
	codec := &transport.Block{Method: "POST", Path: "/test.Echo/Unary", Fields: []field{{Name: "content-type", Value: "application/grpc+thrift"}}}
	for _, c := range []struct {
		name string
		head *transport.Block
		want int
		says string
	}{{"GET", get, 405, "POST"}, {"text/html", html, 415, "application/grpc"}, {"codec", codec, 415, "thrift"}} {
		bubble(t, c.name, func(t *testing.T) {
			lis, _ := serveInproc(t, yodel.ServerConfig{}, registerEcho)
			h, body, _ := rawCall(t, lis, c.head, nil, nil)
			kind, _ := h.Get("content-type")
			if h.Block.Status != c.want || !strings.HasPrefix(kind, "text/plain") || !strings.Contains(string(body), c.says) ||
				strings.Count(string(body), "\n") != 1 {
				t.Errorf("status %d, type %q, body %q", h.Block.Status, kind, body)
			}
		})
	}
}

// A unary answer is one operation of the transport, and a unary request too: it
// can leave in one write.
func TestOneWrite(t *testing.T) {
	bubble(t, "both sides", func(t *testing.T) {
		lis := inproc.NewListener(inproc.Config{})
		s := yodel.NewServer(yodel.ServerConfig{})
		registerEcho(s)
		var sends []transport.Outgoing
		served := make(chan error, 1)
		go func() {
			served <- s.ServeTransport(t.Context(), &spyListener{lis, func(out *transport.Outgoing) { sends = append(sends, *out) }})
		}()
		var opened transport.Outgoing
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(func(ctx context.Context, e transport.Endpoint, ev transport.ConnEvents) (transport.Conn, error) {
			c, err := lis.Dial(ctx, e, ev, 0)
			return &openSpy{c, &opened}, err
		})})
		if err := unary(t.Context(), ch); err != nil {
			t.Fatal(err)
		}
		if opened.Header == nil || len(opened.Data) == 0 || !opened.End {
			t.Errorf("the request was opened with %+v", opened)
		}
		if len(sends) != 1 || sends[0].Header == nil || len(sends[0].Data) == 0 || sends[0].Trailer == nil {
			t.Errorf("the answer left in %d operations: %+v", len(sends), sends)
		}
		first := opened.Header.Block
		_ = unary(t.Context(), ch)
		if opened.Header.Block != first {
			t.Error("the second call has another Block: the transport cannot recognise it")
		}
		_ = ch.Close()
		_ = s.Shutdown(t.Context())
		<-served
	})
}

type openSpy struct {
	transport.Conn
	last *transport.Outgoing
}

func (c *openSpy) Open(ctx context.Context, out *transport.Outgoing) (transport.Stream, error) {
	*c.last = *out
	c.last.Header = &transport.Header{Block: out.Header.Block}
	return c.Conn.Open(ctx, out)
}

type spyListener struct {
	*inproc.Listener
	sent func(*transport.Outgoing)
}

func (l *spyListener) Serve(h transport.Handler) error {
	return l.Listener.Serve(handlerFunc(func(s transport.Stream, head *transport.Header) {
		h.ServeStream(&spyStream{s, l.sent}, head)
	}))
}

type spyStream struct {
	transport.Stream
	sent func(*transport.Outgoing)
}

func (s *spyStream) Send(ctx context.Context, out *transport.Outgoing) error {
	s.sent(out)
	return s.Stream.Send(ctx, out)
}

// FuzzServerRequest: no request panics, hangs, or goes unanswered.
func FuzzServerRequest(f *testing.F) {
	f.Add("/test.Echo/Unary", "application/grpc", "x", "y", message("a"))
	f.Add("/test.Echo/Chat", "application/grpc+json", "grpc-timeout", "1n", []byte{1, 0, 0, 0, 1, 0})
	f.Add("//", "", "grpc-encoding", "gzip", []byte{0, 0xff})
	s := yodel.NewServer(yodel.ServerConfig{})
	registerEcho(s)
	lis := inproc.NewListener(inproc.Config{})
	go func() { _ = s.ServeTransport(context.Background(), lis) }()
	c, err := lis.Dial(context.Background(), transport.Endpoint{}, nil, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, kind, name, value string, data []byte) {
		st, err := c.Open(t.Context(), &transport.Outgoing{
			Header: &transport.Header{
				Block: &transport.Block{Method: "POST", Path: path, Fields: []field{{Name: "content-type", Value: kind}}},
				More:  []field{{Name: name, Value: value}},
			},
			Data: data, End: true,
		})
		if err != nil {
			return // larger than a transport lets through
		}
		defer st.Close()
		for {
			b, ended, err := st.Await(t.Context(), func([]byte) int { return 1 })
			if err != nil {
				return // an expired call is reset
			}
			st.Discard(len(b))
			if ended {
				break
			}
		}
		h, err := st.Header(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if code, _ := verdict(h, st.Trailer()); code == "" && h.Block.Status == 200 {
			t.Errorf("%q was answered without a status", path)
		}
	})
}

// FuzzClientAnswer: no answer panics or hangs a client, on either path.
func FuzzClientAnswer(f *testing.F) {
	f.Add(200, "application/grpc", "grpc-encoding", "gzip", "0", message("a"))
	f.Add(503, "text/html", "grpc-status", "5", "99", []byte("<html>"))
	f.Add(200, "application/grpc", "x-bin", "!", "", []byte{1, 0, 0, 0, 1, 0})
	var out transport.Outgoing
	lis := inproc.NewListener(inproc.Config{})
	go func() {
		_ = lis.Serve(handlerFunc(func(s transport.Stream, _ *transport.Header) {
			defer s.Close()
			_ = s.Send(context.Background(), &out)
		}))
	}()
	ch, err := yodel.NewChannel("a:1", yodel.ChannelConfig{Dialer: lis})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, httpStatus int, kind, name, value, code string, data []byte) {
		out = transport.Outgoing{
			Header: section(httpStatus, field{Name: "content-type", Value: kind}, field{Name: name, Value: value}),
			Data:   data, Trailer: section(0, field{Name: "grpc-status", Value: code}, field{Name: name, Value: value}),
		}
		if err := unary(t.Context(), ch); err == nil && code != "0" {
			t.Errorf("status %q became OK", code)
		}
		for _, err := range yodel.CallServerStream(t.Context(), ch, downMethod, newStr(), newStr) {
			_ = status.CodeOf(err)
		}
	})
}
