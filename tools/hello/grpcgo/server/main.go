// Command server is a server of grpc-go's own, for h2spec to have something to
// compare ours with.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "grpc-go server:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It prints the port.
func run(ctx context.Context) error {
	var config net.ListenConfig
	lis, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, health.NewServer())
	context.AfterFunc(ctx, server.Stop)
	_, port, err := net.SplitHostPort(lis.Addr().String())
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, port); err != nil {
		return err
	}
	return server.Serve(lis)
}
