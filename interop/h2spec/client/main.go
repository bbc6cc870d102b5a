// Command client is Yodel's client as h2specd tests it: with the URL of a server
// that breaks HTTP/2's rules, it makes one connection and one call, and ends. How
// the call ends does not matter: h2specd looks at the connection.
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

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/examples/hello/apipb"
	"github.com/yodelrpc/yodel/status"
)

const (
	// patience is how long the call may take: more than h2specd waits for what
	// it wants to see.
	patience = 3 * time.Second
	// atMost ends the program, whatever holds it up.
	atMost = 3600 * time.Millisecond
)

func main() {
	time.AfterFunc(atMost, func() { os.Exit(3) })
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: client http://HOST:PORT/")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "h2spec client:", err)
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
	channel, err := yodel.NewChannel(to.Host, yodel.ChannelConfig{
		Credentials: credentials.Insecure(),
		// A second connection would be another test of the same case.
		DialContext: func(dialing context.Context, network, address string) (net.Conn, error) {
			if dialed.Swap(true) {
				cancel()
				return nil, errors.New("the first connection has ended")
			}
			var dialer net.Dialer
			return dialer.DialContext(dialing, network, address)
		},
	})
	if err != nil {
		return err
	}
	defer channel.Close()
	_, err = apipb.NewApiClient(channel).ApiEndpoint(ctx, &apipb.ApiRequest{UserName: "h2specd"})
	// For whoever runs it by hand.
	fmt.Println(status.CodeOf(err), err)
	// h2specd may not have sent all of its frames yet. A call may have ended before its
	// channel is Ready.
	for state := range channel.States(ctx) {
		if state != yodel.Ready && state != yodel.Connecting {
			break
		}
	}
	return nil
}
