// Command client runs grpc-go's own functions of the interoperation tests, as
// they are, over Yodel. They end the program with status 1 where a test fails.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/yodelrpc/yodel/compat/grpcgo"
	"github.com/yodelrpc/yodel/interop/grpc/endpoint"
)

func main() {
	var e endpoint.Client
	e.AddFlags(flag.CommandLine)
	flag.Parse()
	if err := run(context.Background(), e); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// simple are the cases that need a client of the service and no more.
var simple = map[string]func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption){
	"empty_unary":                 interop.DoEmptyUnaryCall,
	"large_unary":                 interop.DoLargeUnaryCall,
	"client_streaming":            interop.DoClientStreaming,
	"server_streaming":            interop.DoServerStreaming,
	"ping_pong":                   interop.DoPingPong,
	"empty_stream":                interop.DoEmptyStream,
	"timeout_on_sleeping_server":  interop.DoTimeoutOnSleepingServer,
	"cancel_after_begin":          interop.DoCancelAfterBegin,
	"cancel_after_first_response": interop.DoCancelAfterFirstResponse,
	"status_code_and_message":     interop.DoStatusCodeAndMessage,
	"special_status_message":      interop.DoSpecialStatusMessage,
	"custom_metadata":             interop.DoCustomMetadata,
}

func run(ctx context.Context, e endpoint.Client) error {
	conn, closeConn, err := connect(e)
	if err != nil {
		return err
	}
	defer closeConn()
	if f := simple[e.Case]; f != nil {
		f(ctx, testgrpc.NewTestServiceClient(conn))
		return nil
	}
	concrete, err := conn.Concrete()
	if err != nil {
		return err
	}
	switch e.Case {
	case "unimplemented_method":
		interop.DoUnimplementedMethod(ctx, concrete)
	case "unimplemented_service":
		interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(conn))
	case "rpc_soak":
		soak(ctx, e, func() (*grpc.ClientConn, func()) { return concrete, func() {} })
	case "channel_soak":
		soak(ctx, e, func() (*grpc.ClientConn, func()) {
			conn, closeConn, err := connect(e)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			concrete, err := conn.Concrete()
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return concrete, closeConn
		})
	default:
		return fmt.Errorf("there is no case %q", e.Case)
	}
	return nil
}

func connect(e endpoint.Client) (conn *grpcgo.ClientConn, closeAll func(), err error) {
	channel, err := e.NewChannel()
	if err != nil {
		return nil, nil, err
	}
	conn = grpcgo.NewClientConn(channel, grpcgo.ClientConfig{})
	return conn, func() {
		_ = conn.Close()
		_ = channel.Close()
	}, nil
}

func soak(ctx context.Context, e endpoint.Client, channel func() (*grpc.ClientConn, func())) {
	timeout := time.Duration(e.Soak.OverallTimeoutSeconds) * time.Second
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	interop.DoSoakTest(ctx, interop.SoakTestConfig{
		RequestSize: e.Soak.RequestSize, ResponseSize: e.Soak.ResponseSize,
		PerIterationMaxAcceptableLatency: time.Duration(e.Soak.MaxLatencyMillis) * time.Millisecond,
		MinTimeBetweenRPCs:               time.Duration(e.Soak.MinMillisBetween) * time.Millisecond,
		OverallTimeout:                   timeout,
		ServerAddr:                       e.Address(),
		NumWorkers:                       e.Soak.Threads,
		Iterations:                       e.Soak.Iterations,
		MaxFailures:                      e.Soak.MaxFailures,
		ChannelForTest:                   channel,
	})
}
