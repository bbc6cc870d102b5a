package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/yodelrpc/yodel/interop/grpc/endpoint"
	"github.com/yodelrpc/yodel/interop/grpc/testingpb"
)

func isSoak(name string) bool { return name == "rpc_soak" || name == "channel_soak" }

// rpcSoak makes many large calls over one channel.
func rpcSoak(ctx context.Context, c *client) error {
	return soak(ctx, c.endpoint, func(ctx context.Context) error {
		return exchange(ctx, c, c.endpoint.Soak.RequestSize, c.endpoint.Soak.ResponseSize)
	})
}

// channelSoak makes a channel for each call.
func channelSoak(ctx context.Context, c *client) error {
	return soak(ctx, c.endpoint, func(ctx context.Context) error {
		channel, err := c.endpoint.NewChannel()
		if err != nil {
			return err
		}
		defer channel.Close()
		return exchange(ctx, testingpb.NewTestServiceClient(channel), c.endpoint.Soak.RequestSize, c.endpoint.Soak.ResponseSize)
	})
}

// tally collects the calls of a soak case.
type tally struct {
	mu        sync.Mutex
	latencies []time.Duration
	failures  []error
}

func (t *tally) add(latency, limit time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil:
		t.failures = append(t.failures, err)
	case latency > limit:
		t.failures = append(t.failures, fmt.Errorf("a call took %v, more than %v", latency, limit))
	default:
		t.latencies = append(t.latencies, latency)
	}
}

// soak makes the calls, in as many threads as the flags say.
func soak(ctx context.Context, e endpoint.Client, once func(context.Context) error) error {
	s := e.Soak
	if s.Threads < 1 || s.Iterations%s.Threads != 0 {
		return fmt.Errorf("%d iterations cannot be shared by %d threads", s.Iterations, s.Threads)
	}
	var t tally
	var threads sync.WaitGroup
	for range s.Threads {
		threads.Go(func() {
			for range s.Iterations / s.Threads {
				if ctx.Err() != nil {
					return
				}
				next := time.NewTimer(time.Duration(s.MinMillisBetween) * time.Millisecond)
				began := time.Now()
				err := once(ctx)
				t.add(time.Since(began), time.Duration(s.MaxLatencyMillis)*time.Millisecond, err)
				<-next.C
			}
		})
	}
	threads.Wait()
	return t.verdict(s)
}

func (t *tally) verdict(s endpoint.Soak) error {
	done := len(t.latencies) + len(t.failures)
	if done != s.Iterations {
		return fmt.Errorf("%d of %d calls were made in %d s: %w", done, s.Iterations, s.OverallTimeoutSeconds, errors.Join(t.failures...))
	}
	if len(t.failures) > s.MaxFailures {
		return fmt.Errorf("%d of %d calls failed: %w", len(t.failures), done, errors.Join(t.failures...))
	}
	slices.Sort(t.latencies)
	if n := len(t.latencies); n > 0 {
		fmt.Printf("%d of %d calls succeeded: median %v, slowest %v\n", n, done, t.latencies[n/2], t.latencies[n-1])
	}
	return nil
}
