package yodel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log"
	"net"
	"os"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport/inproc"
)

// Generated code declares the methods; these are by hand.
var (
	hello = &yodel.Method{Service: "example.Greeter", Name: "Hello", Kind: yodel.UnaryKind}
	count = &yodel.Method{Service: "example.Greeter", Name: "Count", Kind: yodel.ServerStreamKind}
	sum   = &yodel.Method{Service: "example.Greeter", Name: "Sum", Kind: yodel.ClientStreamKind}
	talk  = &yodel.Method{Service: "example.Greeter", Name: "Talk", Kind: yodel.BidiStreamKind}
)

type (
	text   = wrapperspb.StringValue
	number = wrapperspb.Int64Value
)

func newText() *text     { return new(text) }
func newNumber() *number { return new(number) }

func sayHello(_ context.Context, name *text) (*text, error) {
	if name.Value == "" {
		return nil, status.New(status.InvalidArgument, "a name is missing")
	}
	return wrapperspb.String("Hello " + name.Value), nil
}

func countTo(_ context.Context, n *number, send func(*number) error) error {
	for i := range n.Value {
		if err := send(wrapperspb.Int64(i + 1)); err != nil {
			return err
		}
	}
	return nil
}

func sumUp(_ context.Context, in iter.Seq2[*number, error]) (*number, error) {
	total := int64(0)
	for n, err := range in {
		if err != nil {
			return nil, err
		}
		total += n.Value
	}
	return wrapperspb.Int64(total), nil
}

func talkBack(_ context.Context, in iter.Seq2[*text, error], send func(*text) error) error {
	for line, err := range in {
		if err != nil {
			return err
		}
		if err := send(wrapperspb.String(line.Value + "?")); err != nil {
			return err
		}
	}
	return nil
}

func newGreeter(cfg yodel.ServerConfig) *yodel.Server {
	server := yodel.NewServer(cfg)
	server.Register(
		yodel.UnaryRoute(hello, newText, sayHello),
		yodel.ServerStreamRoute(count, newNumber, countTo),
		yodel.ClientStreamRoute(sum, newNumber, sumUp),
		yodel.BidiStreamRoute(talk, newText, talkBack),
	)
	return server
}

// connected returns a channel to a greeter in this process.
func connected(cfg yodel.ServerConfig, interceptors ...yodel.ClientInterceptor) (channel *yodel.Channel, stop func()) {
	lis := inproc.NewListener(inproc.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- newGreeter(cfg).ServeTransport(ctx, lis) }()
	channel, err := yodel.NewChannel("greeter:1", yodel.ChannelConfig{Dialer: lis, Interceptors: interceptors})
	if err != nil {
		log.Fatal(err)
	}
	return channel, func() {
		_ = channel.Close()
		cancel()
		<-served
	}
}

// A server and a client on a network, in plaintext. With Credentials left out
// the channel uses TLS, and the server refuses to serve.
func Example() {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- newGreeter(yodel.ServerConfig{Credentials: credentials.Insecure()}).Serve(ctx, lis)
	}()

	channel, err := yodel.NewChannel(lis.Addr().String(), yodel.ChannelConfig{Credentials: credentials.Insecure()})
	if err != nil {
		log.Fatal(err)
	}
	var answer text
	if err := yodel.CallUnary(ctx, channel, hello, wrapperspb.String("Vikesh"), &answer); err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Value)

	_ = channel.Close()
	stop() // the server lets its calls finish
	fmt.Println(<-served)
	// Output:
	// Hello Vikesh
	// <nil>
}

func ExampleCallUnary() {
	channel, stop := connected(yodel.ServerConfig{})
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := yodel.CallUnary(ctx, channel, hello, newText(), newText())
	fmt.Println(errors.Is(err, status.InvalidArgument), err)
	// Output: true INVALID_ARGUMENT: "a name is missing"
}

// Leaving the loop cancels the call; nothing needs closing.
func ExampleCallServerStream() {
	channel, stop := connected(yodel.ServerConfig{})
	defer stop()
	for n, err := range yodel.CallServerStream(context.Background(), channel, count, wrapperspb.Int64(1000), newNumber) {
		if err != nil {
			log.Fatal(err)
		}
		if n.Value > 3 {
			break
		}
		fmt.Println(n.Value)
	}
	// Output:
	// 1
	// 2
	// 3
}

func ExampleCallClientStream() {
	channel, stop := connected(yodel.ServerConfig{})
	defer stop()
	stream, err := yodel.CallClientStream[*number](context.Background(), channel, sum, newNumber)
	if err != nil {
		log.Fatal(err)
	}
	defer stream.Close()
	for _, n := range []int64{1, 2, 3} {
		if err := stream.Send(wrapperspb.Int64(n)); err != nil {
			break // CloseAndReceive says why
		}
	}
	total, err := stream.CloseAndReceive()
	fmt.Println(total.GetValue(), err)
	// Output: 6 <nil>
}

func ExampleCallBidiStream() {
	channel, stop := connected(yodel.ServerConfig{})
	defer stop()
	stream, err := yodel.CallBidiStream[*text](context.Background(), channel, talk, newText)
	if err != nil {
		log.Fatal(err)
	}
	defer stream.Close()
	_ = stream.Send(wrapperspb.String("really"))
	answer, err := stream.Receive()
	fmt.Println(answer.GetValue(), err)
	_ = stream.CloseSend()
	_, err = stream.Receive()
	fmt.Println(err == io.EOF)
	// Output:
	// really? <nil>
	// true
}

func ExampleClientInterceptor() {
	token := func(next yodel.Invoker) yodel.Invoker {
		return func(ctx context.Context, call *yodel.Call) (yodel.Stream, error) {
			call.Add(yodel.SensitiveHeader("authorization", "Bearer abc"))
			call.OnDone(func(err error) { fmt.Println(call.Method.Path(), "ended with", status.CodeOf(err)) })
			return next(ctx, call)
		}
	}
	channel, stop := connected(yodel.ServerConfig{}, token)
	defer stop()
	_ = yodel.CallUnary(context.Background(), channel, hello, wrapperspb.String("you"), newText())
	// Output: /example.Greeter/Hello ended with OK
}

func ExampleServerInterceptor() {
	authorize := func(next yodel.Handler) yodel.Handler {
		return func(ctx context.Context, call *yodel.Call, stream yodel.Stream) error {
			if _, ok := call.RequestHeader.Get("authorization"); !ok {
				return status.New(status.Unauthenticated, "who are you?")
			}
			return next(ctx, call, stream)
		}
	}
	channel, stop := connected(yodel.ServerConfig{Interceptors: []yodel.ServerInterceptor{authorize}})
	defer stop()
	fmt.Println(yodel.CallUnary(context.Background(), channel, hello, wrapperspb.String("you"), newText()))
	// Output: UNAUTHENTICATED: "who are you?"
}

// WaitReady shows what is wrong before the first call does.
func ExampleChannel_WaitReady() {
	dir, err := os.MkdirTemp("", "yodel")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	channel, err := yodel.NewChannel("unix://"+dir+"/nobody-listens", yodel.ChannelConfig{Credentials: credentials.Insecure()})
	if err != nil {
		log.Fatal(err)
	}
	defer channel.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err = channel.WaitReady(ctx)
	fmt.Println(channel.State(), errors.Is(err, os.ErrNotExist))
	// Output: TRANSIENT_FAILURE true
}
