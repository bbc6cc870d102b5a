package grpcgo_test

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/compat/grpcgo"
	"github.com/yodelrpc/yodel/credentials"
)

// Stubs and interceptors of grpc-go, on Yodel's server and channel.
func Example() {
	logging := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		fmt.Println("serving", info.FullMethod)
		return handler(ctx, req)
	}
	server := yodel.NewServer(yodel.ServerConfig{Credentials: credentials.Insecure()})
	testgrpc.RegisterTestServiceServer(grpcgo.NewRegistrar(server, grpcgo.RegistrarConfig{
		UnaryInterceptors: []grpc.UnaryServerInterceptor{logging},
	}), &service{})
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, lis) }()

	channel, err := yodel.NewChannel(lis.Addr().String(), yodel.ChannelConfig{Credentials: credentials.Insecure()})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := testgrpc.NewTestServiceClient(grpcgo.NewClientConn(channel, grpcgo.ClientConfig{}))
	call, cancel := context.WithTimeout(ctx, 10*time.Second)
	resp, err := client.UnaryCall(call, &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: []byte("hello")}})
	fmt.Printf("%s %v\n", resp.GetPayload().GetBody(), err)
	cancel()

	_ = channel.Close()
	stop()
	fmt.Println(<-served)
	// Output:
	// serving /grpc.testing.TestService/UnaryCall
	// hello <nil>
	// <nil>
}
