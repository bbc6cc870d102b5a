// Command python checks that Python's grpcio and this repository's client and
// server understand each other: Python's client against our server and our
// client against Python's server, plain, over TLS and over mutual TLS. It
// prints one line a check, and at the end how many passed and failed.
//
// scripts/interop-python.sh prepares what it needs and runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/interop/internal/peer"
	"github.com/yodelrpc/yodel/interop/internal/testcert"
)

// config is where the programs are that take part.
type config struct {
	python      string
	scripts     string
	helloServer string
	helloClient string
}

func main() {
	var cfg config
	flag.StringVar(&cfg.python, "python", "python3", "Python with grpcio")
	flag.StringVar(&cfg.scripts, "scripts", "interop/python", "folder of the Python programs")
	flag.StringVar(&cfg.helloServer, "hello-server", "", "the hello example's server")
	flag.StringVar(&cfg.helloClient, "hello-client", "", "the hello example's client")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	r := peer.Report{Out: os.Stdout}
	err := run(ctx, cfg, &r)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop-python:", err)
	}
	fmt.Printf("%d passed, %d failed\n", r.Passed, r.Failed)
	if err != nil || r.Failed > 0 || r.Passed == 0 {
		os.Exit(1)
	}
}

// securities are the ways to protect connections.
func securities(dir string) ([]peer.Security, error) {
	certs, err := testcert.New(dir)
	if err != nil {
		return nil, fmt.Errorf("making certificates: %w", err)
	}
	plain := peer.Plain()
	plain.Name = "plain"
	tls, err := peer.TLS(certs)
	if err != nil {
		return nil, err
	}
	mutual, err := mutualTLS(certs)
	if err != nil {
		return nil, err
	}
	return []peer.Security{plain, tls, mutual}, nil
}

// mutualTLS is a server and a client with a certificate each.
func mutualTLS(certs testcert.Files) (peer.Security, error) {
	server, err := credentials.Files(certs.ServerCert, certs.ServerKey, certs.CA)
	if err != nil {
		return peer.Security{}, err
	}
	client, err := credentials.Files(certs.ClientCert, certs.ClientKey, certs.CA)
	if err != nil {
		return peer.Security{}, err
	}
	return peer.Security{
		Name:   "mutual TLS",
		Server: server, Client: client,
		ServerArgs: []string{certs.ServerCert, certs.ServerKey, certs.CA},
		ClientArgs: []string{certs.CA, certs.ClientCert, certs.ClientKey},
	}, nil
}

func run(ctx context.Context, cfg config, r *peer.Report) error {
	dir, err := os.MkdirTemp("", "yodel-interop-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	all, err := securities(dir)
	if err != nil {
		return err
	}

	r.Add("the article", "Python's client, our server program", cfg.helloFromPython(ctx))
	r.Add("the article", "our client program, Python's server", cfg.helloToPython(ctx))
	for _, s := range all {
		if err := cfg.pythonClientChecks(ctx, s, r); err != nil {
			r.Add("Python's client, our server, "+s.Name, "all", err)
		}
		if err := cfg.pythonServerChecks(ctx, s, r); err != nil {
			r.Add("our client, Python's server, "+s.Name, "all", err)
		}
	}
	return nil
}
