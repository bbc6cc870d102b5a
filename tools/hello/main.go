// Command hello is the hello example's server with grpc-go's health and reflection
// services, which run on it through compat/grpcgo: what users' tools expect of a
// server. It has a module of its own, because it needs grpc-go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/compat/grpcgo"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/examples/hello/apipb"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7073", "`address` to listen on; port 0 takes a free one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It prints where, as a line by itself.
func run(ctx context.Context, addr string) error {
	var config net.ListenConfig
	lis, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	server := yodel.NewServer(yodel.ServerConfig{Credentials: credentials.Insecure()})
	registrar := grpcgo.NewRegistrar(server, grpcgo.RegistrarConfig{})
	apipb.RegisterApi(registrar, api{})
	healthpb.RegisterHealthServer(registrar, health.NewServer())
	reflection.Register(registrar)
	if _, err := fmt.Fprintln(os.Stdout, lis.Addr()); err != nil {
		return errors.Join(err, lis.Close())
	}
	return server.Serve(ctx, lis)
}

// api implements the service Api.
type api struct{}

func (api) ApiEndpoint(_ context.Context, req *apipb.ApiRequest) (*apipb.ApiResponse, error) {
	return &apipb.ApiResponse{Resp: "Hello " + req.GetUserName()}, nil
}
