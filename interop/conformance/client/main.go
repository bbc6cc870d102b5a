// Command client is Yodel's client as connectconformance tests it: it reads calls
// from its input, makes them, and writes how they ended to its output, in any
// order.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/yodelrpc/yodel/interop/conformance/compat"
	"github.com/yodelrpc/yodel/interop/conformance/conformancepb"
)

// atOnce is how many calls run at the same time. Most of a call's time is the
// suite's delays.
const atOnce = 64

func main() {
	if err := run(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conformance client:", err)
		os.Exit(1)
	}
}

// run makes the calls that in asks for, until it ends.
func run(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var channels channels
	defer channels.close()
	var (
		calls   sync.WaitGroup
		writing sync.Mutex
		slots   = make(chan struct{}, atOnce)
	)
	reader := bufio.NewReader(in)
	for ctx.Err() == nil {
		var req conformancepb.ClientCompatRequest
		err := compat.Read(reader, &req)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			cancel(fmt.Errorf("reading what to call: %w", err))
			break
		}
		slots <- struct{}{}
		calls.Go(func() {
			defer func() { <-slots }()
			resp := respond(ctx, &channels, &req)
			writing.Lock()
			defer writing.Unlock()
			if err := compat.Write(out, resp); err != nil {
				cancel(fmt.Errorf("writing how %s ended: %w", req.GetTestName(), err))
			}
		})
	}
	calls.Wait()
	return context.Cause(ctx)
}

// respond makes one call.
func respond(ctx context.Context, channels *channels, req *conformancepb.ClientCompatRequest) *conformancepb.ClientCompatResponse {
	resp := &conformancepb.ClientCompatResponse{TestName: req.GetTestName()}
	result, err := invoke(ctx, channels, req)
	if err != nil {
		resp.Result = &conformancepb.ClientCompatResponse_Error{
			Error: &conformancepb.ClientErrorResult{Message: err.Error()},
		}
		return resp
	}
	resp.Result = &conformancepb.ClientCompatResponse_Response{Response: result}
	return resp
}
