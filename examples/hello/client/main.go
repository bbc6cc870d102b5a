// Command client greets the server of the hello example, and prints what it
// answers.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
	"unicode/utf8"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/examples/hello/apipb"
	"github.com/yodelrpc/yodel/status"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7073", "`address` of the server")
	timeout := flag.Duration("timeout", 10*time.Second, "how long to wait for the answer")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: client [flags] [name]")
		flag.PrintDefaults()
	}
	flag.Parse()
	name := "Vikesh"
	switch flag.NArg() {
	case 0:
	case 1:
		name = flag.Arg(0)
	default:
		fmt.Fprintln(os.Stderr, "client: it takes one name at most; put a name with spaces into quotes")
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	err := run(ctx, *addr, name, os.Stdout)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

// run makes one call, and prints the response's text form.
func run(ctx context.Context, addr, name string, out io.Writer) error {
	// A protobuf string is UTF-8. The call would say so too, but not where
	// the text came from.
	if !utf8.ValidString(name) {
		return fmt.Errorf("the name %q is not valid UTF-8", name)
	}

	channel, err := yodel.NewChannel(addr, yodel.ChannelConfig{Credentials: credentials.Insecure()})
	if err != nil {
		return err
	}
	defer channel.Close()

	response, err := apipb.NewApiClient(channel).ApiEndpoint(ctx, &apipb.ApiRequest{UserName: name})
	if status.CodeOf(err) == status.Unavailable {
		return fmt.Errorf("%w\n(is the server running at %s? -addr chooses another)", err, addr)
	}
	if err != nil {
		return err
	}
	text, err := textForm(response)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, text)
	return err
}
