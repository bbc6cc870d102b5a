// Package endpoint reads the flags that gRPC's interoperation clients and servers
// share, and makes of them what this repository's ones need. They are named as
// grpc-go's are.
package endpoint

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/transport"
)

// Server says where a server listens, and how it is secured.
type Server struct {
	Port              int
	UseTLS            bool
	CertFile, KeyFile string
}

// AddFlags makes the flags set s.
func (s *Server) AddFlags(fs *flag.FlagSet) {
	fs.IntVar(&s.Port, "port", 0, "port to listen on at 127.0.0.1; 0 chooses a free one")
	fs.BoolVar(&s.UseTLS, "use_tls", false, "use TLS")
	fs.StringVar(&s.CertFile, "tls_cert_file", "", "PEM file of the certificate")
	fs.StringVar(&s.KeyFile, "tls_key_file", "", "PEM file of the key")
}

// Credentials returns what secures connections.
func (s *Server) Credentials() (transport.Handshaker, error) {
	if !s.UseTLS {
		return credentials.Insecure(), nil
	}
	return credentials.Files(s.CertFile, s.KeyFile, "")
}

// Listen listens on the loopback interface, and says where on stdout: "listening
// on HOST:PORT".
func (s *Server) Listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	lis, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)))
	if err == nil {
		_, err = fmt.Fprintf(os.Stdout, "listening on %s\n", lis.Addr())
	}
	return lis, err
}

// Serve serves what register registers until the program is asked to end.
func (s *Server) Serve(register func(*yodel.Server)) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	secure, err := s.Credentials()
	if err != nil {
		return err
	}
	lis, err := s.Listen(ctx)
	if err != nil {
		return err
	}
	server := yodel.NewServer(yodel.ServerConfig{Credentials: secure})
	register(server)
	return server.Serve(ctx, lis)
}

// Client says which server a client calls, and how.
type Client struct {
	Host         string
	Port         int
	UseTLS       bool
	UseTestCA    bool
	CAFile       string
	HostOverride string
	Case         string
	Soak         Soak
}

// Soak configures the cases rpc_soak and channel_soak.
type Soak struct {
	Iterations, MaxFailures   int
	MaxLatencyMillis          int
	OverallTimeoutSeconds     int
	MinMillisBetween          int
	RequestSize, ResponseSize int
	Threads                   int
}

// AddFlags makes the flags set c.
func (c *Client) AddFlags(fs *flag.FlagSet) {
	fs.StringVar(&c.Host, "server_host", "localhost", "the server's host")
	fs.IntVar(&c.Port, "server_port", 10000, "the server's port")
	fs.BoolVar(&c.UseTLS, "use_tls", false, "use TLS")
	fs.BoolVar(&c.UseTestCA, "use_test_ca", false, "trust the authority of -ca_file instead of the system's")
	fs.StringVar(&c.CAFile, "ca_file", "", "PEM file of the authority")
	fs.StringVar(&c.HostOverride, "server_host_override", "", "the name that the server's certificate must have, instead of -server_host")
	fs.StringVar(&c.Case, "test_case", "large_unary", "the case to run")
	fs.IntVar(&c.Soak.Iterations, "soak_iterations", 10, "calls of the soak cases")
	fs.IntVar(&c.Soak.MaxFailures, "soak_max_failures", 0, "calls of the soak cases that may fail")
	fs.IntVar(&c.Soak.MaxLatencyMillis, "soak_per_iteration_max_acceptable_latency_ms", 1000, "milliseconds after which a call of the soak cases counts as failed")
	fs.IntVar(&c.Soak.OverallTimeoutSeconds, "soak_overall_timeout_seconds", 10, "seconds that a soak case may take")
	fs.IntVar(&c.Soak.MinMillisBetween, "soak_min_time_ms_between_rpcs", 0, "milliseconds between the starts of two calls of the soak cases")
	fs.IntVar(&c.Soak.RequestSize, "soak_request_size", 271828, "bytes of a request of the soak cases")
	fs.IntVar(&c.Soak.ResponseSize, "soak_response_size", 314159, "bytes of a response of the soak cases")
	fs.IntVar(&c.Soak.Threads, "soak_num_threads", 1, "threads of the soak cases")
}

// Address returns "host:port".
func (c *Client) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// NewChannel returns a channel to the server.
func (c *Client) NewChannel() (*yodel.Channel, error) {
	if !c.UseTLS {
		return yodel.NewChannel(c.Address(), yodel.ChannelConfig{Credentials: credentials.Insecure()})
	}
	config := new(tls.Config)
	if c.UseTestCA {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New(c.CAFile + " holds no certificate")
		}
	}
	return yodel.NewChannel(c.Address(), yodel.ChannelConfig{
		Credentials: credentials.TLS(config), Authority: c.HostOverride,
	})
}
