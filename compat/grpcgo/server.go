package grpcgo

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"google.golang.org/grpc"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/yodelrpc/yodel"
)

// RegistrarConfig configures a [Registrar]. The zero value adds nothing. It is
// copied by NewRegistrar; its slices must not be changed.
type RegistrarConfig struct {
	// UnaryInterceptors and StreamInterceptors wrap the calls of services that
	// are registered here, inside the server's own interceptors; the first is
	// the outermost.
	UnaryInterceptors  []grpc.UnaryServerInterceptor
	StreamInterceptors []grpc.StreamServerInterceptor
}

// Registrar registers services with a Yodel server: those that
// protoc-gen-go-grpc describes by RegisterService, Yodel's own by Register. It
// is safe for concurrent use.
//
// It lists all of them for grpc-go's reflection service, which wants a
// Registrar:
//
//	reflection.Register(registrar)
type Registrar struct {
	to     yodel.Registrar
	unary  grpc.UnaryServerInterceptor
	stream []grpc.StreamServerInterceptor

	mu       sync.Mutex
	services map[string]grpc.ServiceInfo
}

var (
	_ grpc.ServiceRegistrar = (*Registrar)(nil)
	_ yodel.Registrar       = (*Registrar)(nil)
)

// NewRegistrar returns a Registrar for a server.
func NewRegistrar(server yodel.Registrar, cfg RegistrarConfig) *Registrar {
	return &Registrar{
		to: server, unary: chainUnary(cfg.UnaryInterceptors), stream: cfg.StreamInterceptors,
		services: make(map[string]grpc.ServiceInfo),
	}
}

// chainUnary makes one interceptor of many, nil of none.
func chainUnary(all []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	if len(all) == 0 {
		return nil
	}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		for _, a := range slices.Backward(all) {
			interceptor, next := a, handler
			handler = func(ctx context.Context, req any) (any, error) { return interceptor(ctx, req, info, next) }
		}
		return handler(ctx, req)
	}
}

// chainStream puts the interceptors around a handler.
func (r *Registrar) chainStream(handler grpc.StreamHandler, info *grpc.StreamServerInfo) grpc.StreamHandler {
	for _, v := range slices.Backward(r.stream) {
		interceptor, next := v, handler
		handler = func(srv any, stream grpc.ServerStream) error { return interceptor(srv, stream, info, next) }
	}
	return handler
}

// RegisterService implements [grpc.ServiceRegistrar]. What is wrong with desc or
// impl is returned by the server's Serve.
func (r *Registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	if err := fits(desc, impl); err != nil {
		r.to.Register(yodel.Route{Err: err})
		return
	}
	for i := range desc.Methods {
		r.to.Register(r.unaryRoute(desc.ServiceName, &desc.Methods[i], impl))
	}
	for i := range desc.Streams {
		r.to.Register(r.streamRoute(desc.ServiceName, &desc.Streams[i], impl))
	}
	info := grpc.ServiceInfo{Metadata: desc.Metadata}
	for _, m := range desc.Methods {
		info.Methods = append(info.Methods, grpc.MethodInfo{Name: m.MethodName})
	}
	for _, s := range desc.Streams {
		info.Methods = append(info.Methods, grpc.MethodInfo{
			Name: s.StreamName, IsClientStream: s.ClientStreams, IsServerStream: s.ServerStreams,
		})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.services[desc.ServiceName] = info
}

// fits tells why impl cannot be the service.
func fits(desc *grpc.ServiceDesc, impl any) error {
	if impl == nil || desc.HandlerType == nil {
		return nil
	}
	want := reflect.TypeOf(desc.HandlerType).Elem()
	if got := reflect.TypeOf(impl); !got.Implements(want) {
		return fmt.Errorf("grpcgo: the service %s cannot be served by %v, which is no %v", desc.ServiceName, got, want)
	}
	return nil
}

// Register implements [yodel.Registrar], so that the services of Yodel's own
// stubs are listed too.
func (r *Registrar) Register(routes ...yodel.Route) {
	r.to.Register(routes...)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, route := range routes {
		if route.Method == nil {
			continue
		}
		info := r.services[route.Method.Service]
		kind := route.Method.Kind
		info.Methods = append(info.Methods, grpc.MethodInfo{
			Name:           route.Method.Name,
			IsClientStream: kind == yodel.ClientStreamKind || kind == yodel.BidiStreamKind,
			IsServerStream: kind == yodel.ServerStreamKind || kind == yodel.BidiStreamKind,
		})
		r.services[route.Method.Service] = info
	}
}

// GetServiceInfo returns the services that were registered here, by their full
// names. It implements the ServiceInfoProvider of grpc-go's package reflection.
func (r *Registrar) GetServiceInfo() map[string]grpc.ServiceInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]grpc.ServiceInfo, len(r.services))
	for name, info := range r.services {
		info.Methods = append([]grpc.MethodInfo(nil), info.Methods...)
		all[name] = info
	}
	return all
}

// unaryRoute is a method that protoc-gen-go-grpc describes.
func (r *Registrar) unaryRoute(service string, desc *grpc.MethodDesc, impl any) yodel.Route {
	m := &yodel.Method{Service: service, Name: desc.MethodName, Kind: yodel.UnaryKind}
	handler := desc.Handler
	return yodel.Route{Method: m, Handler: func(ctx context.Context, call *yodel.Call, stream yodel.Stream) error {
		ctx, ts := enter(ctx, call)
		decode := func(req any) error { return toGRPC(stream.Receive(message(req))) }
		reply, err := handler(impl, ctx, decode, r.unary)
		if err != nil {
			return fromHandler(err)
		}
		if err := ts.failed(); err != nil {
			return fromHandler(err)
		}
		return stream.Send(message(reply))
	}}
}

// streamRoute is a method with streams that protoc-gen-go-grpc describes.
func (r *Registrar) streamRoute(service string, desc *grpc.StreamDesc, impl any) yodel.Route {
	m := &yodel.Method{Service: service, Name: desc.StreamName, Kind: kindOf(desc.ClientStreams, desc.ServerStreams)}
	info := &grpc.StreamServerInfo{FullMethod: m.Path(), IsClientStream: desc.ClientStreams, IsServerStream: desc.ServerStreams}
	handler := r.chainStream(desc.Handler, info)
	return yodel.Route{Method: m, Handler: func(ctx context.Context, call *yodel.Call, stream yodel.Stream) error {
		ctx, ts := enter(ctx, call)
		if err := handler(impl, &serverStream{ctx: ctx, transport: ts, stream: stream}); err != nil {
			return fromHandler(err)
		}
		return fromHandler(ts.failed())
	}}
}

// enter gives a handler's context what grpc-go's functions look for in it.
func enter(ctx context.Context, call *yodel.Call) (context.Context, *transportStream) {
	ts := &transportStream{call: call}
	ctx = grpcmetadata.NewIncomingContext(ctx, incoming(call.RequestHeader))
	ctx = peer.NewContext(ctx, newPeer(call.Peer()))
	return grpc.NewContextWithServerTransportStream(ctx, ts), ts
}
