// Command server is grpc-go's interoperation test server. grpc-go's own program
// listens on every interface; this one on the loopback interface only.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/yodelrpc/yodel/interop/grpc/endpoint"
)

func main() {
	var e endpoint.Server
	e.AddFlags(flag.CommandLine)
	flag.Parse()
	if err := serve(e); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(e endpoint.Server) error {
	var options []grpc.ServerOption
	if e.UseTLS {
		secure, err := credentials.NewServerTLSFromFile(e.CertFile, e.KeyFile)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(secure))
	}
	lis, err := e.Listen(context.Background())
	if err != nil {
		return err
	}
	server := grpc.NewServer(options...)
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	return server.Serve(lis)
}
