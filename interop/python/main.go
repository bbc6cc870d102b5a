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
	"github.com/yodelrpc/yodel/interop/internal/testcert"
	"github.com/yodelrpc/yodel/transport"
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
	var r report
	err := run(ctx, cfg, &r)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop-python:", err)
	}
	fmt.Printf("%d passed, %d failed\n", r.passed, r.failed)
	if err != nil || r.failed > 0 || r.passed == 0 {
		os.Exit(1)
	}
}

// report prints results and counts them.
type report struct{ passed, failed int }

func (r *report) add(group, name string, err error) {
	if err != nil {
		r.failed++
		fmt.Printf("FAIL  %s: %s: %v\n", group, name, err)
		return
	}
	r.passed++
	fmt.Printf("ok    %s: %s\n", group, name)
}

// security is one way to protect connections, for both languages.
type security struct {
	name string
	// server and client are our credentials.
	server, client transport.Handshaker
	// pythonServer and pythonClient are arguments of Python's programs.
	pythonServer, pythonClient []string
}

func securities(dir string) ([]security, error) {
	certs, err := testcert.New(dir)
	if err != nil {
		return nil, fmt.Errorf("making certificates: %w", err)
	}
	tlsServer, err := credentials.Files(certs.ServerCert, certs.ServerKey, "")
	if err != nil {
		return nil, err
	}
	tlsClient, err := credentials.Files("", "", certs.CA)
	if err != nil {
		return nil, err
	}
	mutualServer, err := credentials.Files(certs.ServerCert, certs.ServerKey, certs.CA)
	if err != nil {
		return nil, err
	}
	mutualClient, err := credentials.Files(certs.ClientCert, certs.ClientKey, certs.CA)
	if err != nil {
		return nil, err
	}
	return []security{
		{
			name:   "plain",
			server: credentials.Insecure(), client: credentials.Insecure(),
		},
		{
			name:   "TLS",
			server: tlsServer, client: tlsClient,
			pythonServer: []string{certs.ServerCert, certs.ServerKey},
			pythonClient: []string{certs.CA},
		},
		{
			name:   "mutual TLS",
			server: mutualServer, client: mutualClient,
			pythonServer: []string{certs.ServerCert, certs.ServerKey, certs.CA},
			pythonClient: []string{certs.CA, certs.ClientCert, certs.ClientKey},
		},
	}, nil
}

func run(ctx context.Context, cfg config, r *report) error {
	dir, err := os.MkdirTemp("", "yodel-interop-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	all, err := securities(dir)
	if err != nil {
		return err
	}

	r.add("the article", "Python's client, our server program", cfg.helloFromPython(ctx))
	r.add("the article", "our client program, Python's server", cfg.helloToPython(ctx))
	for _, s := range all {
		if err := cfg.pythonClientChecks(ctx, s, r); err != nil {
			r.add("Python's client, our server, "+s.name, "all", err)
		}
		if err := cfg.pythonServerChecks(ctx, s, r); err != nil {
			r.add("our client, Python's server, "+s.name, "all", err)
		}
	}
	return nil
}
