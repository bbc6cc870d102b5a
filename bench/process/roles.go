package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"

	"github.com/yodelrpc/yodel/bench/benchpb"
	"github.com/yodelrpc/yodel/bench/load"
	"github.com/yodelrpc/yodel/bench/stack"
)

// serve listens and begins to serve.
func serve(st stack.Stack, s Spec) (address string, ended <-chan error, err error) {
	address = "127.0.0.1:0"
	if s.Options.Network == "unix" {
		address = s.Address
	}
	var config net.ListenConfig
	lis, err := config.Listen(context.Background(), s.Options.Network, address)
	if err != nil {
		return "", nil, err
	}
	address = lis.Addr().String()
	failed := make(chan error, 1)
	// It serves until the process ends.
	go func() { failed <- st.Serve(lis, s.Options) }()
	return address, failed, nil
}

func runServer(st stack.Stack, s Spec, in io.Reader, out io.Writer) error {
	address, ended, err := serve(st, s)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(response{Address: address}); err != nil { //nolint:musttag // both ends are this package
		return err
	}
	return answer(in, out, func(req request) (response, error) {
		select {
		case err := <-ended:
			return response{}, fmt.Errorf("the server has ended: %w", err)
		default:
		}
		return observe(req)
	})
}

// observe does the commands that both sides know.
func observe(req request) (resp response, err error) {
	switch req.Op {
	case opUsage:
		resp.Usage, err = usage(req.Settle)
	case opProfile:
		err = profile(req.File)
	default:
		err = fmt.Errorf("there is no command %q", req.Op)
	}
	return resp, err
}

func runClient(st stack.Stack, s Spec, in io.Reader, out io.Writer) error {
	client := load.NewClient(st, s.Address, s.Options)
	return answer(in, out, func(req request) (resp response, err error) {
		switch req.Op {
		case opRun:
			return measure(client, req)
		case opConns:
			err = client.HoldConns(req.N)
		case opStreams:
			err = client.HoldStreams(req.N)
		default:
			return observe(req)
		}
		return resp, err
	})
}

// measure runs a workload; the answer's usage is what it took.
func measure(client *load.Client, req request) (response, error) {
	before, err := usage(false)
	if err != nil {
		return response{}, err
	}
	result, err := client.Run(req.Workload, req.Time)
	if err != nil {
		return response{}, err
	}
	after, err := usage(false)
	after.CPU -= before.CPU
	return response{Result: result, Usage: after}, err
}

// runBoth counts the allocations of unary calls of one caller.
func runBoth(st stack.Stack, s Spec, in io.Reader, out io.Writer) error {
	address, _, err := serve(st, s)
	if err != nil {
		return err
	}
	conn, err := st.Dial(address, s.Options)
	if err != nil {
		return err
	}
	return answer(in, out, func(req request) (resp response, err error) {
		if req.Op != opAllocs {
			return resp, fmt.Errorf("there is no command %q", req.Op)
		}
		resp.Allocs, err = CountAllocs(conn, req.Workload.Bytes, req.N)
		return resp, err
	})
}

// CountAllocs returns what one of n unary calls allocates in this process, which
// also serves them.
func CountAllocs(conn stack.Conn, bytes, n int) (Allocs, error) {
	msg := &benchpb.Msg{Body: make([]byte, bytes)}
	calls := func(n int) (err error) {
		for range n {
			_, e := conn.Say(context.Background(), msg)
			err = errors.Join(err, e)
		}
		return err
	}
	if err := calls(n/4 + 1); err != nil {
		return Allocs{}, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := calls(n)
	runtime.ReadMemStats(&after)
	return Allocs{
		Count: float64(after.Mallocs-before.Mallocs) / float64(n),
		Bytes: float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
	}, err
}
