// Command run makes the interoperation tests with grpc-go: each case of each
// client against each server, plain and over TLS, one process a case, and then
// the HTTP/2 faults against our client. It prints one line a case, and at the
// end how many passed and failed.
//
// scripts/interop.sh builds the programs that it starts.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/yodelrpc/yodel/interop/grpc/faults"
)

func main() {
	bin := flag.String("bin", "", "folder of the programs")
	only := flag.String("run", "", "run the lines that contain this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	r := &report{only: *only}
	began := time.Now()
	err := run(ctx, *bin, r)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
	}
	for _, line := range r.summary {
		fmt.Println(line)
	}
	fmt.Printf("%d passed, %d failed, in %.0f s\n", r.passed, r.failed, time.Since(began).Seconds())
	if err != nil || r.failed > 0 || r.passed == 0 {
		os.Exit(1)
	}
}

// report prints results and counts them.
type report struct {
	only           string
	passed, failed int
	group          string
	ofGroup, good  int
	summary        []string
}

// begin starts a group of cases.
func (r *report) begin(group string) { r.group, r.ofGroup, r.good = group, 0, 0 }

// end sums a group up.
func (r *report) end() {
	if r.ofGroup > 0 {
		r.summary = append(r.summary, fmt.Sprintf("%2d of %2d  %s", r.good, r.ofGroup, r.group))
	}
}

// wants tells whether a case is to be run.
func (r *report) wants(name string) bool { return strings.Contains(r.group+": "+name, r.only) }

func (r *report) add(name string, took time.Duration, err error) {
	r.ofGroup++
	if err != nil {
		r.failed++
		fmt.Printf("FAIL  %s: %s: %v\n", r.group, name, err)
		return
	}
	r.good++
	r.passed++
	fmt.Printf("ok    %s: %s (%.1f s)\n", r.group, name, took.Seconds())
}

// cases are those of the interoperation test descriptions that need nothing but
// a test server.
var cases = []string{
	"empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
	"timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response",
	"status_code_and_message", "special_status_message", "custom_metadata",
	"unimplemented_method", "unimplemented_service", "rpc_soak", "channel_soak",
}

// pairs are who calls whom: the programs, and how the report names them.
var pairs = []struct{ client, server, name string }{
	{"client", "grpcgo-server", "our client to grpc-go's server"},
	{"grpcgo-client", "server", "grpc-go's client to our server"},
	{"compat-client", "grpcgo-server", "grpc-go's test functions on our channel to grpc-go's server"},
	{"grpcgo-client", "compat-server", "grpc-go's client to grpc-go's service on our server"},
	{"client", "server", "our client to our server"},
}

// hostName is the name in the server's certificate.
const hostName = "foo.test.google.fr"

func run(ctx context.Context, bin string, r *report) error {
	dir, err := os.MkdirTemp("", "yodel-interop-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	certs, err := newCertificates(dir, hostName)
	if err != nil {
		return fmt.Errorf("making certificates: %w", err)
	}
	for _, secure := range []bool{false, true} {
		var serverFlags, clientFlags []string
		how := "plain"
		if secure {
			how = "TLS"
			serverFlags = []string{"-use_tls", "-tls_cert_file=" + certs.cert, "-tls_key_file=" + certs.key}
			clientFlags = []string{"-use_tls", "-use_test_ca", "-ca_file=" + certs.ca, "-server_host_override=" + hostName}
		}
		for _, p := range pairs {
			r.begin(p.name + ", " + how)
			if err := runPair(ctx, r, filepath.Join(bin, p.client), filepath.Join(bin, p.server), clientFlags, serverFlags); err != nil {
				return fmt.Errorf("%s: %w", r.group, err)
			}
			r.end()
		}
	}
	r.begin("HTTP/2 faults towards our client")
	for _, c := range faults.Cases() {
		if !r.wants(c.Name) {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		began := time.Now()
		err := c.Run(ctx)
		cancel()
		r.add(c.Name, time.Since(began), err)
	}
	r.end()
	return nil
}

// runPair runs all cases of a client against one server.
func runPair(ctx context.Context, r *report, client, server string, clientFlags, serverFlags []string) error {
	var wanted []string
	for _, name := range cases {
		if r.wants(name) {
			wanted = append(wanted, name)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	s, err := startServer(ctx, server, serverFlags)
	if err != nil {
		return err
	}
	defer s.stop()
	flags := append([]string{"-server_host=" + s.host, "-server_port=" + s.port}, clientFlags...)
	for _, name := range wanted {
		began := time.Now()
		err := runCase(ctx, client, name, flags)
		r.add(name, time.Since(began), err)
	}
	return nil
}
