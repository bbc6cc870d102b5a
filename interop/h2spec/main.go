// Command h2spec has h2spec test our HTTP/2 server, in plaintext and over TLS, and
// h2specd our client. A case that fails must stand in the file of exceptions with
// its reason, and one that stands there must fail.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/examples/hello/apipb"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

const (
	// serverCases and clientCases are what h2spec 2.2.1 has, the strict ones
	// included; fewer would mean that it did not get to its end.
	serverCases = 146
	clientCases = 57
	// oneRun is how long a run may take. One without failures takes seconds.
	oneRun = 2 * time.Minute
)

func main() {
	var s suite
	flag.StringVar(&s.h2spec, "h2spec", "", "the `program` h2spec")
	flag.StringVar(&s.h2specd, "h2specd", "", "the `program` h2specd")
	flag.StringVar(&s.client, "client", "", "the `program` that h2specd tests")
	flag.StringVar(&s.exceptions, "exceptions", "interop/h2spec", "the `folder` with the files of exceptions")
	flag.IntVar(&s.runs, "runs", 3, "how often h2spec tests the server, of each kind")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: h2spec [flags], or h2spec PROGRAM [argument]... to count another run's results")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	if flag.NArg() > 0 {
		err = count(ctx, flag.Arg(0), flag.Args()[1:]...)
	} else {
		err = s.run(ctx)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "h2spec FAILED:", err)
		os.Exit(1)
	}
}

// suite is what to run.
type suite struct {
	h2spec, h2specd, client, exceptions string
	runs                                int
}

func (s suite) run(ctx context.Context) error {
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	plain := s.server(ctx, "plaintext", credentials.Insecure())
	secured := s.server(ctx, "TLS", credentials.TLS(&tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{certificate},
	}), "-t", "-k")
	return errors.Join(plain, secured, s.testClient(ctx))
}

// server lets h2spec test a server with security.
func (s suite) server(ctx context.Context, name string, security transport.Handshaker, flags ...string) (err error) {
	allowed, err := readExceptions(s.exceptions + "/exceptions-server.txt")
	if err != nil {
		return err
	}
	server := yodel.NewServer(yodel.ServerConfig{DrainTimeout: time.Second})
	apipb.RegisterApi(server, apipb.UnimplementedApi{})
	var config net.ListenConfig
	lis, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	patient := patientListener{http2.NewListener(lis, http2.ListenerConfig{Handshaker: security})}
	go func() { served <- server.ServeTransport(serving, patient) }()
	defer func() {
		stop()
		err = errors.Join(err, <-served)
	}()
	host, port, err := net.SplitHostPort(lis.Addr().String())
	if err != nil {
		return err
	}
	args := append([]string{"-S", "-h", host, "-p", port}, flags...)
	var failures []error
	for i := range s.runs {
		title := fmt.Sprintf("server, %s, run %d", name, i+1)
		failures = append(failures, test(ctx, title, serverCases, allowed, s.h2spec, args...))
	}
	return errors.Join(failures...)
}

// testClient lets h2specd test our client.
func (s suite) testClient(ctx context.Context) error {
	allowed, err := readExceptions(s.exceptions + "/exceptions-client.txt")
	if err != nil {
		return err
	}
	from, err := freePorts(ctx, clientCases)
	if err != nil {
		return err
	}
	return test(ctx, "client, plaintext", clientCases, allowed, s.h2specd,
		"-S", "-h", "127.0.0.1", "-f", strconv.Itoa(from), "-e", s.client)
}

// count runs h2spec or h2specd against something that is not ours, and prints its
// counts as those of ours are.
func count(ctx context.Context, program string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, oneRun)
	defer cancel()
	// Its status says that a case has failed, or more.
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	got := parse(string(out))
	if got.tests == 0 {
		return fmt.Errorf("%w\n%.4000s", err, out)
	}
	fmt.Println(got)
	return nil
}

// test makes one run, and prints what came of it.
func test(ctx context.Context, title string, cases int, allowed exceptions, program string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, oneRun)
	defer cancel()
	began := time.Now()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = time.Second
	// Its status says that a case has failed, or more.
	out, err := cmd.CombinedOutput()
	got := parse(string(out))
	fmt.Printf("%s: %v, %.0f s\n", title, got, time.Since(began).Seconds())
	if problems := allowed.compare(got, cases); len(problems) > 0 {
		if got.tests == 0 {
			problems = append(problems, fmt.Sprintf("%v\n%.4000s", err, out))
		}
		return fmt.Errorf("%s: %s", title, strings.Join(problems, "\n\t"))
	}
	for _, id := range got.failures {
		fmt.Printf("\texception %s: %s\n", id, allowed[id])
	}
	return nil
}

// freePorts returns the first of n ports in a row that nobody listens on, below
// those that systems give to clients.
func freePorts(ctx context.Context, n int) (int, error) {
	var config net.ListenConfig
	for from := 31700; from > 20000; from -= 1000 {
		free := true
		for port := from; port < from+n && free; port++ {
			lis, err := config.Listen(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(port))
			if free = err == nil; free {
				err = lis.Close()
			}
			free = err == nil
		}
		if free {
			return from, nil
		}
	}
	return 0, fmt.Errorf("no %d ports in a row are free", n)
}
