package both_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	grpccredentials "google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/reflection"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/compat/grpcgo"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/interop/grpc/service"
	"github.com/yodelrpc/yodel/interop/grpc/testingpb"
)

// One program has Yodel's stubs and grpc-go's for the same service, both
// libraries' channels, and one server with services of both kinds. If two of
// their descriptors had one name, it would not start.
func TestBothStubs(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := yodel.NewServer(yodel.ServerConfig{Credentials: credentials.Insecure(), DrainTimeout: time.Millisecond})
	registrar := grpcgo.NewRegistrar(server, grpcgo.RegistrarConfig{})
	testingpb.RegisterTestService(registrar, new(service.TestService))
	healthpb.RegisterHealthServer(registrar, health.NewServer())
	reflection.Register(registrar)
	if len(registrar.GetServiceInfo()) != 4 {
		t.Errorf("the server lists %v", registrar.GetServiceInfo())
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, lis) }()
	defer func() {
		stop()
		<-served
	}()

	channel, err := yodel.NewChannel(lis.Addr().String(), yodel.ChannelConfig{Credentials: credentials.Insecure()})
	if err != nil {
		t.Fatal(err)
	}
	defer channel.Close()
	theirs, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(grpccredentials.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	adapted := grpcgo.NewClientConn(channel, grpcgo.ClientConfig{})

	calls, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ours, err := testingpb.NewTestServiceClient(channel).UnaryCall(calls, &testingpb.SimpleRequest{ResponseSize: 3})
	if err != nil || len(ours.GetPayload().GetBody()) != 3 {
		t.Errorf("our stubs: %v, %v", ours, err)
	}
	for _, conn := range []grpc.ClientConnInterface{theirs, adapted} {
		resp, err := testgrpc.NewTestServiceClient(conn).UnaryCall(calls, &testgrpc.SimpleRequest{ResponseSize: 3})
		if err != nil || len(resp.GetPayload().GetBody()) != 3 {
			t.Errorf("grpc-go's stubs over %T: %v, %v", conn, resp, err)
		}
		if _, err := healthpb.NewHealthClient(conn).Check(calls, &healthpb.HealthCheckRequest{}); err != nil {
			t.Errorf("health over %T: %v", conn, err)
		}
	}
}

// The messages of testing.proto are those of gRPC: what one library writes, the
// other reads the same.
func TestMessagesAreThoseOfGRPC(t *testing.T) {
	ours := new(testingpb.SimpleRequest).ProtoReflect().Descriptor().ParentFile().Messages()
	theirs := new(testgrpc.SimpleRequest).ProtoReflect().Descriptor().ParentFile().Messages()
	for i := range ours.Len() {
		m := ours.Get(i)
		of := theirs.ByName(m.Name())
		if of == nil {
			if m.Name() != "Empty" {
				t.Errorf("gRPC has no message %s", m.Name())
			}
			continue
		}
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			other := of.Fields().ByNumber(f.Number())
			if other == nil || other.Name() != f.Name() || other.Kind() != f.Kind() || other.Cardinality() != f.Cardinality() {
				t.Errorf("%s.%s is %v in gRPC", m.Name(), f.Name(), other)
			}
		}
	}
}
