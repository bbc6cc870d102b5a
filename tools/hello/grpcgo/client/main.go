// Command client is grpc-go's client as h2specd tests it, the same as
// interop/h2spec/client: one connection, one call, and then it waits for the
// connection to end.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	patience = 2200 * time.Millisecond
	atMost   = 2800 * time.Millisecond
)

func main() {
	time.AfterFunc(atMost, func() { os.Exit(3) })
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: client http://HOST:PORT/")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "grpc-go client:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, target string) error {
	to, err := url.Parse(target)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var dialed atomic.Bool
	conn, err := grpc.NewClient("passthrough:///"+to.Host,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(dialing context.Context, address string) (net.Conn, error) {
			if dialed.Swap(true) {
				cancel()
				return nil, errors.New("the first connection has ended")
			}
			var dialer net.Dialer
			return dialer.DialContext(dialing, "tcp", address)
		}))
	if err != nil {
		return err
	}
	defer conn.Close()
	// How the call ends does not matter: h2specd looks at the connection.
	_, _ = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	for conn.GetState() == connectivity.Ready && conn.WaitForStateChange(ctx, connectivity.Ready) {
	}
	return nil
}
