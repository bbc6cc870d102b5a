// Command server is Yodel's server as connectconformance tests it: it reads from
// its input how to serve, writes to its output where it does, and serves until it
// is told to end.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/interop/conformance/compat"
	"github.com/yodelrpc/yodel/interop/conformance/conformancepb"
	"github.com/yodelrpc/yodel/transport"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance server:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var req conformancepb.ServerCompatRequest
	if err := compat.Read(os.Stdin, &req); err != nil {
		return fmt.Errorf("reading how to serve: %w", err)
	}
	if req.GetProtocol() != conformancepb.Protocol_PROTOCOL_GRPC || req.GetHttpVersion() != conformancepb.HTTPVersion_HTTP_VERSION_2 {
		return fmt.Errorf("it cannot serve %v over %v", req.GetProtocol(), req.GetHttpVersion())
	}
	security, err := handshaker(&req)
	if err != nil {
		return err
	}
	server := yodel.NewServer(yodel.ServerConfig{
		Credentials:     security,
		Compressor:      &encoding.Gzip{},
		MaxReceiveBytes: int(req.GetMessageReceiveLimit()),
		DrainTimeout:    time.Second,
	})
	conformancepb.RegisterConformanceService(served{server}, service{})

	var config net.ListenConfig
	lis, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr, ok := lis.Addr().(*net.TCPAddr)
	if !ok {
		return errors.Join(fmt.Errorf("it listens on %v, which is not TCP", lis.Addr()), lis.Close())
	}
	resp := &conformancepb.ServerCompatResponse{Host: "127.0.0.1", Port: uint32(addr.Port)}
	if req.GetUseTls() {
		resp.PemCert = req.GetServerCreds().GetCert()
	}
	if err := compat.Write(os.Stdout, resp); err != nil {
		return errors.Join(fmt.Errorf("writing where it serves: %w", err), lis.Close())
	}
	// Calls that are still running when the runner has seen enough are no fault.
	if err := server.Serve(ctx, lis); ctx.Err() == nil {
		return err
	}
	return nil
}

// served is a server without those of the service's methods that it must not
// have: Unimplemented has to be missing, and IdempotentUnary is for the GET of
// the Connect protocol.
type served struct{ *yodel.Server }

// Register implements yodel.Registrar.
func (s served) Register(routes ...yodel.Route) {
	s.Server.Register(slices.DeleteFunc(routes, func(route yodel.Route) bool {
		return route.Method == conformancepb.ConformanceService_Unimplemented ||
			route.Method == conformancepb.ConformanceService_IdempotentUnary
	})...)
}

// handshaker returns the security that the runner asks for.
func handshaker(req *conformancepb.ServerCompatRequest) (transport.Handshaker, error) {
	if !req.GetUseTls() {
		return credentials.Insecure(), nil
	}
	creds := req.GetServerCreds()
	certificate, err := tls.X509KeyPair(creds.GetCert(), creds.GetKey())
	if err != nil {
		return nil, fmt.Errorf("the server's certificate: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
	if trusted := req.GetClientTlsCert(); len(trusted) > 0 {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(trusted) {
			return nil, errors.New("the clients' authority is not a certificate in PEM")
		}
	}
	return credentials.TLS(config), nil
}
