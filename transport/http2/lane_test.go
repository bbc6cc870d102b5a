package http2_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

const mib = 1 << 20

// upload is a stream that a client sends one message on.
type upload struct {
	transport.Stream
	cancel context.CancelFunc
	done   chan error
}

// upload opens a stream, and sends n bytes until everybody waits.
func (c *dialed) upload(n int) *upload {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := c.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
	if err != nil {
		c.t.Fatal(err)
	}
	u := &upload{Stream: s, cancel: cancel, done: make(chan error, 1)}
	go func() { u.done <- s.Send(ctx, &transport.Outgoing{Data: make([]byte, n)}) }()
	synctest.Wait()
	return u
}

// end is how the message was sent.
func (u *upload) end() error {
	defer u.cancel()
	defer u.Close()
	return <-u.done
}

// stretches reads n bytes of DATA, and returns what came of one stream at a time: its id,
// and how many KiB.
func (c *dialed) stretches(n int) string {
	c.t.Helper()
	var all []string
	id, size := uint32(0), 0
	flush := func() {
		if size > 0 {
			all = append(all, fmt.Sprintf("%d:%d", id, size>>10))
		}
		size = 0
	}
	for n > 0 {
		h, payload, err := c.next(time.Minute)
		if err != nil {
			c.t.Errorf("%v, %d bytes before the end", err, n)
			break
		}
		if h.Type != frame.TypeData {
			continue
		}
		if h.StreamID != id {
			flush()
		}
		id = h.StreamID
		size += len(payload)
		n -= len(payload)
	}
	flush()
	return strings.Join(all, " ")
}

func (c *dialed) wantStretches(n int, want string) {
	c.t.Helper()
	if got := c.stretches(n); got != want {
		c.t.Errorf("the stretches are %s, want %s", got, want)
	}
}

// TestLane would break if large messages went out a piece each in turn, or if small ones
// waited for the large, or if a large one held up others for ever.
func TestLane(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		c.write(window(0, 64*mib))
		c.outcome()
		uploads := []*upload{c.upload(mib / 2), c.upload(3 * mib), c.upload(3 * mib / 2), c.upload(mib), c.upload(1000)}
		c.wantStretches(6*mib+1000, "1:512 3:512 9:0 3:512 5:1024 7:1024 3:1024 5:512 3:1024")
		for i, u := range uploads {
			if err := u.end(); err != nil {
				t.Errorf("message %d: %v", i, err)
			}
		}
	}, 4, 16*mib)
}

// TestLaneIsLeft would break if a stream that cannot send kept the lane, or its place in
// the line, from others.
func TestLaneIsLeft(t *testing.T) {
	t.Run("without credit of its own", func(t *testing.T) {
		clientScript(t, http2.Config{}, func(c *dialed) {
			c.write(window(0, 64*mib))
			c.outcome()
			first, second := c.upload(mib), c.upload(mib)
			c.wantStretches(2*65535, "1:63 3:63")
			c.write(window(3, mib))
			c.wantStretches(mib-65535, "3:960")
			c.write(window(1, mib))
			c.wantStretches(mib-65535, "1:960")
			if err := errors.Join(first.end(), second.end()); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("in line, when its credit is taken back", func(t *testing.T) {
		clientScript(t, http2.Config{}, func(c *dialed) {
			first, second, third := c.upload(mib), c.upload(mib), c.upload(mib)
			c.wantStretches(65535, "1:63")
			c.write(settings(4, 0), window(1, mib), window(5, mib), window(0, 4*mib))
			c.wantStretches(2*mib-65535, "1:960 5:1024")
			c.write(window(3, mib))
			c.wantStretches(mib, "3:1024")
			if err := errors.Join(first.end(), second.end(), third.end()); err != nil {
				t.Error(err)
			}
		}, 4, 16*mib)
	})
	for _, who := range []string{"in the lane", "in line"} {
		t.Run("canceled "+who, func(t *testing.T) {
			clientScript(t, http2.Config{}, func(c *dialed) {
				first, second, third := c.upload(mib), c.upload(mib), c.upload(mib)
				c.wantStretches(65535, "1:63")
				gone, left := first, second
				if who == "in line" {
					gone, left = second, first
				}
				gone.cancel()
				if err := gone.end(); err == nil {
					t.Error("a message was sent that nobody gave credit for")
				}
				c.write(window(0, 4*mib))
				if who == "in line" {
					c.wantStretches(2*mib-65535, "1:960 5:1024")
				} else {
					c.wantStretches(2*mib, "3:1024 5:1024")
				}
				if err := errors.Join(left.end(), third.end()); err != nil {
					t.Error(err)
				}
			}, 4, 16*mib)
		})
	}
}
