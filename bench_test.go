package yodel_test

import (
	"context"
	"net"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/yodeltest"
)

func benchUnary(b *testing.B, ch *yodel.Channel) {
	b.Helper()
	ctx := context.Background()
	req, resp := wrapperspb.String(strings.Repeat("y", 100)), newStr()
	if err := yodel.CallUnary(ctx, ch, echoMethod, req, resp); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := yodel.CallUnary(ctx, ch, echoMethod, req, resp); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUnaryInproc is a 100-byte call without a network.
func BenchmarkUnaryInproc(b *testing.B) { benchUnary(b, yodeltest.New(b, registerEcho)) }

// BenchmarkUnaryHTTP2 is a 100-byte call over loopback, both sides.
func BenchmarkUnaryHTTP2(b *testing.B) { benchUnary(b, newTCP(b, registerEcho)) }

// newTCP serves over a loopback socket in plaintext.
func newTCP(t testing.TB, register func(*yodel.Server)) *yodel.Channel {
	t.Helper()
	server := yodel.NewServer(yodel.ServerConfig{Credentials: credentials.Insecure()})
	register(server)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, lis) }()
	ch, err := yodel.NewChannel(lis.Addr().String(), yodel.ChannelConfig{Credentials: credentials.Insecure()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ch.Close()
		stop()
		if err := <-served; err != nil {
			t.Error("Serve:", err)
		}
	})
	return ch
}

// The ceilings of a 100-byte call over HTTP/2, both sides and both messages
// included: what is over them is a leak of the fast path.
func TestUnaryAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	ch := newTCP(t, registerEcho)
	req, resp := wrapperspb.String(strings.Repeat("y", 100)), newStr()
	if err := yodel.CallUnary(context.Background(), ch, echoMethod, req, resp); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	calls := 0
	runtime.ReadMemStats(&before)
	allocs := testing.AllocsPerRun(2000, func() {
		calls++
		if err := yodel.CallUnary(context.Background(), ch, echoMethod, req, resp); err != nil {
			t.Fatal(err)
		}
	})
	runtime.ReadMemStats(&after)
	if allocs > 5 {
		t.Errorf("%v allocations, want 5 at most", allocs)
	}
	if bytes := (after.TotalAlloc - before.TotalAlloc) / uint64(calls); bytes > 400 {
		t.Errorf("%d bytes, want 400 at most", bytes)
	}
}
