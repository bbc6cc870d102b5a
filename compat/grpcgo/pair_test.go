package grpcgo_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"google.golang.org/grpc"
	grpccredentials "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/compat/grpcgo"
	"github.com/yodelrpc/yodel/credentials"
)

// The tests run the same client code and the same service over every pair of
// libraries. The pair of grpc-go with itself shows that what they want is what
// grpc-go does; where Yodel differs on purpose, the test says so.

// setup is what a test wants of a pair.
type setup struct {
	unaryServer  []grpc.UnaryServerInterceptor
	streamServer []grpc.StreamServerInterceptor
	client       grpcgo.ClientConfig
	// register registers more than the test service.
	register func(registrar)
	secure   bool
}

// registrar is both libraries'.
type registrar interface {
	grpc.ServiceRegistrar
	GetServiceInfo() map[string]grpc.ServiceInfo
}

// pair is a library at each end.
type pair struct {
	name           string
	client, server library
}

type library bool

const (
	grpcGo library = false
	ours   library = true
)

var pairs = []pair{
	{"grpc-go to grpc-go", grpcGo, grpcGo},
	{"ours to ours", ours, ours},
	{"ours to grpc-go", ours, grpcGo},
	{"grpc-go to ours", grpcGo, ours},
}

// everyPair runs f over all pairs.
func everyPair(t *testing.T, f func(t *testing.T, p pair)) {
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) { f(t, p) })
	}
}

// connect serves impl and returns a connection to it.
func (p pair) connect(t *testing.T, impl testgrpc.TestServiceServer, s setup) grpc.ClientConnInterface {
	t.Helper()
	serverTLS, clientTLS := certificates(t)
	address := p.serve(t, impl, s, serverTLS)
	if p.client == ours {
		secure := credentials.Insecure()
		if s.secure {
			secure = credentials.TLS(clientTLS)
		}
		channel, err := yodel.NewChannel(address, yodel.ChannelConfig{Credentials: secure})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = channel.Close() })
		conn := grpcgo.NewClientConn(channel, s.client)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	secure := insecure.NewCredentials()
	if s.secure {
		secure = grpccredentials.NewTLS(clientTLS)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(secure), grpc.WithDefaultCallOptions(s.client.CallOptions...),
		grpc.WithChainUnaryInterceptor(s.client.UnaryInterceptors...), grpc.WithChainStreamInterceptor(s.client.StreamInterceptors...),
	}
	for _, c := range s.client.PerRPCCredentials {
		options = append(options, grpc.WithPerRPCCredentials(c))
	}
	conn, err := grpc.NewClient(address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// serve serves impl until the test ends, and returns its address.
func (p pair) serve(t *testing.T, impl testgrpc.TestServiceServer, s setup, serverTLS *tls.Config) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	if p.server == grpcGo {
		options := []grpc.ServerOption{grpc.ChainUnaryInterceptor(s.unaryServer...), grpc.ChainStreamInterceptor(s.streamServer...)}
		if s.secure {
			options = append(options, grpc.Creds(grpccredentials.NewTLS(serverTLS)))
		}
		server := grpc.NewServer(options...)
		registerAll(server, impl, s)
		go func() { served <- server.Serve(lis) }()
		t.Cleanup(func() {
			server.Stop()
			<-served
		})
		return lis.Addr().String()
	}
	secure := credentials.Insecure()
	if s.secure {
		secure = credentials.TLS(serverTLS)
	}
	server := yodel.NewServer(yodel.ServerConfig{Credentials: secure, DrainTimeout: time.Millisecond})
	registerAll(grpcgo.NewRegistrar(server, grpcgo.RegistrarConfig{
		UnaryInterceptors: s.unaryServer, StreamInterceptors: s.streamServer,
	}), impl, s)
	ctx, stop := context.WithCancel(context.Background())
	go func() { served <- server.Serve(ctx, lis) }()
	t.Cleanup(func() {
		stop()
		<-served
	})
	return lis.Addr().String()
}

func registerAll(r registrar, impl testgrpc.TestServiceServer, s setup) {
	testgrpc.RegisterTestServiceServer(r, impl)
	if s.register != nil {
		s.register(r)
	}
}

// certificates returns what a server on the loopback interface, and its client,
// need for TLS.
func certificates(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := &url.URL{Scheme: "spiffe", Host: "example.org", Path: "/server"}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, URIs: []*url.URL{id},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}

// service is a test service whose methods a test chooses.
type service struct {
	testgrpc.UnimplementedTestServiceServer
	unary  func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error)
	output func(*testgrpc.StreamingOutputCallRequest, testgrpc.TestService_StreamingOutputCallServer) error
	input  func(testgrpc.TestService_StreamingInputCallServer) error
	full   func(testgrpc.TestService_FullDuplexCallServer) error
}

func (s *service) UnaryCall(ctx context.Context, req *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	if s.unary == nil {
		return &testgrpc.SimpleResponse{Payload: req.GetPayload()}, nil
	}
	return s.unary(ctx, req)
}

func (s *service) StreamingOutputCall(req *testgrpc.StreamingOutputCallRequest, stream testgrpc.TestService_StreamingOutputCallServer) error {
	if s.output != nil {
		return s.output(req, stream)
	}
	for _, p := range req.GetResponseParameters() {
		if err := stream.Send(&testgrpc.StreamingOutputCallResponse{Payload: payload(int(p.GetSize()))}); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) StreamingInputCall(stream testgrpc.TestService_StreamingInputCallServer) error {
	if s.input != nil {
		return s.input(stream)
	}
	var sum int32
	for {
		req, err := stream.Recv()
		if err != nil {
			return eofOr(err, func() error {
				return stream.SendAndClose(&testgrpc.StreamingInputCallResponse{AggregatedPayloadSize: sum})
			})
		}
		sum += int32(len(req.GetPayload().GetBody()))
	}
}

func (s *service) FullDuplexCall(stream testgrpc.TestService_FullDuplexCallServer) error {
	if s.full != nil {
		return s.full(stream)
	}
	for {
		req, err := stream.Recv()
		if err != nil {
			return eofOr(err, func() error { return nil })
		}
		if err := stream.Send(&testgrpc.StreamingOutputCallResponse{Payload: req.GetPayload()}); err != nil {
			return err
		}
	}
}

func payload(n int) *testgrpc.Payload { return &testgrpc.Payload{Body: make([]byte, n)} }

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
