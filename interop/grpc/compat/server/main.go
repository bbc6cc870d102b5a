// Command server serves grpc-go's own implementation of the interoperation
// tests, as it is, on Yodel.
package main

import (
	"flag"
	"fmt"
	"os"

	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/compat/grpcgo"
	"github.com/yodelrpc/yodel/interop/grpc/endpoint"
)

func main() {
	var e endpoint.Server
	e.AddFlags(flag.CommandLine)
	flag.Parse()
	err := e.Serve(func(s *yodel.Server) {
		testgrpc.RegisterTestServiceServer(grpcgo.NewRegistrar(s, grpcgo.RegistrarConfig{}), interop.NewTestServer())
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
