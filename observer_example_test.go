package yodel_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
)

// durations measures how long calls take, by method and status.
type durations struct {
	record func(method string, code status.Code, took time.Duration)
}

func (d durations) ObserveCall(ctx context.Context, call *yodel.Call) (context.Context, yodel.Observation) {
	return ctx, &duration{d, call.Method.Path(), time.Now()}
}

// duration is one call.
type duration struct {
	durations
	method string
	began  time.Time
}

func (*duration) Attempt(int) metadata.MD { return nil }

func (d *duration) Observe(e yodel.Event) {
	if e.Kind == yodel.CallEnded {
		d.record(d.method, status.CodeOf(e.Err), time.Since(d.began))
	}
}

// A server whose calls are measured.
func ExampleObserver() {
	ended := make(chan string, 1)
	channel, stop := connected(yodel.ServerConfig{Observer: durations{func(method string, code status.Code, took time.Duration) {
		ended <- fmt.Sprintln(method, code, took > 0)
	}}})
	defer stop()
	var answer text
	if err := yodel.CallUnary(context.Background(), channel, hello, wrapperspb.String("Vikesh"), &answer); err != nil {
		log.Fatal(err)
	}
	fmt.Print(<-ended)
	// Output: /example.Greeter/Hello OK true
}
