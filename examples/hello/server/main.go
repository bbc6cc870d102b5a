// Command server answers the calls of the hello example until it is
// interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/examples/hello/apipb"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7073", "`address` to listen on; port 0 takes a free one")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "server: it takes no arguments, and there is %q\n", flag.Arg(0))
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and then lets the calls in flight finish.
func run(ctx context.Context, addr string, out io.Writer) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: is a server running already? -addr chooses another port", err)
	}
	if err != nil {
		return err
	}

	server := yodel.NewServer(yodel.ServerConfig{Credentials: credentials.Insecure()})
	apipb.RegisterApi(server, api{})

	// The listener queues connections from here on.
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "server stub started on port %s ...\n", port); err != nil {
		return err
	}
	return server.Serve(ctx, listener)
}

// api implements the service Api.
type api struct{}

func (api) ApiEndpoint(_ context.Context, req *apipb.ApiRequest) (*apipb.ApiResponse, error) {
	return &apipb.ApiResponse{Resp: "Hello " + req.GetUserName()}, nil
}
