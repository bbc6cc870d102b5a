// Package echo serves the services Api and Echo to the clients of other
// implementations.
package echo

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/examples/hello/apipb"
	"github.com/yodelrpc/yodel/interop/echopb"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
)

// Server implements Api and Echo. The zero value is ready to use, and must not be
// copied after its first use.
type Server struct {
	// Carried counts the bytes of the connections that its Listener accepts.
	Carried Counter

	gzip encoding.Gzip

	mu                            sync.Mutex
	withDeadline, withoutDeadline int32
}

var (
	_ apipb.ApiServer   = (*Server)(nil)
	_ echopb.EchoServer = (*Server)(nil)
)

// Register makes r serve both services.
func (s *Server) Register(r yodel.Registrar) {
	apipb.RegisterApi(r, s)
	echopb.RegisterEcho(r, s)
}

// ApiEndpoint implements apipb.ApiServer.
func (*Server) ApiEndpoint(_ context.Context, req *apipb.ApiRequest) (*apipb.ApiResponse, error) {
	return &apipb.ApiResponse{Resp: "Hello " + req.GetUserName()}, nil
}

// Say implements echopb.EchoServer.
func (s *Server) Say(ctx context.Context, req *echopb.EchoRequest) (*echopb.EchoResponse, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if err := s.obey(ctx, req); err != nil {
		return nil, err
	}
	return &echopb.EchoResponse{Text: req.GetText(), Payload: req.GetPayload()}, nil
}

// Count implements echopb.EchoServer.
func (s *Server) Count(ctx context.Context, req *echopb.EchoRequest, send func(*echopb.EchoResponse) error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if err := s.obey(ctx, req); err != nil {
		return err
	}
	for i := range req.GetTimes() {
		if err := send(&echopb.EchoResponse{Text: req.GetText(), Payload: req.GetPayload(), Index: i}); err != nil {
			return err
		}
	}
	return nil
}

// Join implements echopb.EchoServer.
func (s *Server) Join(ctx context.Context, in iter.Seq2[*echopb.EchoRequest, error]) (*echopb.EchoResponse, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	var joined echopb.EchoResponse
	for req, err := range in {
		if err != nil {
			return nil, err
		}
		if err := s.obey(ctx, req); err != nil {
			return nil, err
		}
		joined.Text += req.GetText()
		joined.Payload = append(joined.Payload, req.GetPayload()...)
		joined.Index++
	}
	return &joined, nil
}

// Chat implements echopb.EchoServer.
func (s *Server) Chat(ctx context.Context, in iter.Seq2[*echopb.EchoRequest, error], send func(*echopb.EchoResponse) error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	var index int32
	for req, err := range in {
		if err != nil {
			return err
		}
		if err := fail(req); err != nil {
			return err
		}
		if err := send(&echopb.EchoResponse{Text: req.GetText(), Payload: req.GetPayload(), Index: index}); err != nil {
			return err
		}
		index++
		if err := s.hang(ctx, req); err != nil {
			return err
		}
	}
	return nil
}

// Ended implements echopb.EchoServer.
func (s *Server) Ended(context.Context, *echopb.EndedRequest) (*echopb.EndedResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &echopb.EndedResponse{WithDeadline: s.withDeadline, WithoutDeadline: s.withoutDeadline}, nil
}

// Wire implements echopb.EchoServer.
func (s *Server) Wire(context.Context, *echopb.WireRequest) (*echopb.WireResponse, error) {
	return &echopb.WireResponse{Received: s.Carried.Received(), Sent: s.Carried.Sent()}, nil
}

// obey fails or hangs, if the request asks for it.
func (s *Server) obey(ctx context.Context, req *echopb.EchoRequest) error {
	if err := fail(req); err != nil {
		return err
	}
	return s.hang(ctx, req)
}

// fail returns the status that the request asks for, if it does.
func fail(req *echopb.EchoRequest) error {
	if f := req.GetFailure(); f != nil {
		return status.New(status.Code(f.GetCode()), f.GetMessage(), f)
	}
	return nil
}

// hang waits for the end of the call, if the request asks for it.
func (s *Server) hang(ctx context.Context, req *echopb.EchoRequest) error {
	if !req.GetHang() {
		return nil
	}
	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := ctx.Deadline(); ok {
		s.withDeadline++
	} else {
		s.withoutDeadline++
	}
	return context.Cause(ctx)
}

// begin sends the request's x-echo metadata back, at once as headers, and at
// the end as trailers, and compresses the responses if the request asks for it.
func (s *Server) begin(ctx context.Context) error {
	call := yodel.CallFrom(ctx)
	var header, trailer metadata.MD
	for name, value := range call.RequestHeader.All() {
		if name == "x-echo" || name == "x-echo-bin" {
			header.Add(name, value)
			trailer.Add(strings.Replace(name, "echo", "trailer", 1), value)
		}
	}
	if compress, _ := call.RequestHeader.Get("x-compress"); compress == "gzip" {
		if err := call.SetCompressor(&s.gzip); err != nil {
			return err
		}
	}
	return errors.Join(call.SetTrailer(trailer), call.SetHeader(header), call.SendHeader())
}
