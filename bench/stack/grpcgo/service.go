package grpcgo

import (
	"context"

	"google.golang.org/grpc"

	"github.com/yodelrpc/yodel/bench/benchpb"
)

// What protoc-gen-go-grpc would write for the service: it is written by hand so
// that the module needs no second generator.
const (
	serviceName = "yodel.bench.Echo"
	sayPath     = "/" + serviceName + "/Say"
	chatPath    = "/" + serviceName + "/Chat"
	downPath    = "/" + serviceName + "/Down"
	upPath      = "/" + serviceName + "/Up"
)

type server interface {
	Say(ctx context.Context, req *benchpb.Msg) (*benchpb.Msg, error)
	Chat(s grpc.BidiStreamingServer[benchpb.Msg, benchpb.Msg]) error
	Down(req *benchpb.DownRequest, s grpc.ServerStreamingServer[benchpb.Msg]) error
	Up(s grpc.ClientStreamingServer[benchpb.Msg, benchpb.UpResponse]) error
}

var _ server = (*echo)(nil)

var service = grpc.ServiceDesc{
	ServiceName: serviceName,
	HandlerType: (*server)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Say", Handler: handleSay}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Chat", Handler: handleChat, ServerStreams: true, ClientStreams: true},
		{StreamName: "Down", Handler: handleDown, ServerStreams: true},
		{StreamName: "Up", Handler: handleUp, ClientStreams: true},
	},
	Metadata: "bench.proto",
}

func handleSay(srv any, ctx context.Context, dec func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // grpc-go's signature
	req := new(benchpb.Msg)
	if err := dec(req); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(server).Say(ctx, req) //nolint:forcetypeassert // as generated code does
	}
	info := &grpc.UnaryServerInfo{Server: srv, FullMethod: sayPath}
	return interceptor(ctx, req, info, func(ctx context.Context, req any) (any, error) {
		return srv.(server).Say(ctx, req.(*benchpb.Msg)) //nolint:forcetypeassert // as generated code does
	})
}

func handleChat(srv any, s grpc.ServerStream) error {
	return srv.(server).Chat(&grpc.GenericServerStream[benchpb.Msg, benchpb.Msg]{ServerStream: s}) //nolint:forcetypeassert // as generated code does
}

func handleDown(srv any, s grpc.ServerStream) error {
	req := new(benchpb.DownRequest)
	if err := s.RecvMsg(req); err != nil {
		return err
	}
	return srv.(server).Down(req, &grpc.GenericServerStream[benchpb.DownRequest, benchpb.Msg]{ServerStream: s}) //nolint:forcetypeassert // as generated code does
}

func handleUp(srv any, s grpc.ServerStream) error {
	return srv.(server).Up(&grpc.GenericServerStream[benchpb.Msg, benchpb.UpResponse]{ServerStream: s}) //nolint:forcetypeassert // as generated code does
}
