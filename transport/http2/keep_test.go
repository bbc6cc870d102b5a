package http2_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// sized waits for a message of four bytes of length, and as many bytes.
func sized(buffered []byte) int {
	if len(buffered) < 4 {
		return 4
	}
	return 4 + int(uint32(buffered[0])<<24|uint32(buffered[1])<<16|uint32(buffered[2])<<8|uint32(buffered[3]))
}

// expecting is a handler that receives sized messages, and says so.
type expecting struct{ handlerFunc }

func (expecting) Expect(buffered []byte) int { return sized(buffered) }

// message is a sized message with n bytes that only seed can tell.
func message(n int, seed uint64) []byte {
	b := make([]byte, 4+n)
	copy(b, u32(uint32(n)))
	random := rand.New(rand.NewPCG(seed, 1))
	for i := range b[4:] {
		b[4+i] = byte(random.Uint32())
	}
	return b
}

// TestKeep would break if a message that keeps its memory lost it to what comes
// later, on the same stream or another one.
func TestKeep(t *testing.T) {
	const rounds, size = 12, 1 << 20
	kept := make(chan []byte, 4*rounds)
	var hits int
	collect := func(s transport.Stream, _ *transport.Header) {
		defer s.Close()
		for {
			got, ended, err := s.Await(context.Background(), sized)
			if err != nil {
				return
			}
			if len(got) < 4 {
				break
			}
			if n := sized(got); s.Keep(n) {
				hits++
				kept <- got[:n:n]
			} else {
				kept <- bytes.Clone(got[:n])
				s.Discard(n)
			}
			if ended && len(got) == 0 {
				break
			}
		}
		_ = s.Send(context.Background(), &transport.Outgoing{Header: &transport.Header{Block: responseBlock}, End: true})
	}
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			hits = 0
			p := newPair(t, network, expecting{collect}, http2.Config{NoInline: true}, http2.Config{})
			var want [][]byte
			for i := range rounds {
				stream, err := p.conn.Open(t.Context(), &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
				if err != nil {
					t.Fatal(err)
				}
				for j := range 3 {
					n := size
					if j == 1 {
						n = 1000 // small ones come in between
					}
					want = append(want, message(n, uint64(3*i+j)))
					if err := stream.Send(t.Context(), &transport.Outgoing{Data: want[len(want)-1], End: j == 2}); err != nil {
						t.Fatal(err)
					}
				}
				if _, _, err := stream.Await(t.Context(), everything); err != nil {
					t.Fatal(err)
				}
				stream.Close()
			}
			for i := range want {
				if got := <-kept; !bytes.Equal(got, want[i]) {
					t.Errorf("message %d is not what was sent", i)
				}
			}
			if hits == 0 {
				t.Error("no message could keep its memory")
			}
		})
	}
}

// writeLarge sends a whole message in frames of the usual size.
func (p *peer) writeLarge(id uint32, message []byte) {
	for len(message) > 16384 {
		p.write(data(id, string(message[:16384]), 0))
		message = message[16384:]
	}
	p.write(data(id, string(message), fEnd))
}

// enlarged reads until SETTINGS_MAX_FRAME_SIZE comes, acknowledges it, and returns it.
func (p *peer) enlarged() uint32 {
	p.t.Helper()
	for {
		h, payload, err := p.next(patience)
		if err != nil {
			p.t.Fatalf("there is no SETTINGS_MAX_FRAME_SIZE: %v", err)
		}
		if h.Type != frame.TypeSettings || h.Has(frame.FlagAck) {
			continue
		}
		for ; len(payload) >= 6; payload = payload[6:] {
			if binary.BigEndian.Uint16(payload) == 5 {
				p.write(settingsAck())
				return binary.BigEndian.Uint32(payload[2:])
			}
		}
	}
}

// TestLargeFrames would break if a peer might not send large frames once it has sent
// a large message, or might before, or without limit.
func TestLargeFrames(t *testing.T) {
	largest := strings.Repeat("x", 128<<10)
	for _, tt := range []struct {
		name   string
		proven bool
		data   string
		want   string
	}{
		{"not yet", false, largest[:16385], "GOAWAY 0 FRAME_SIZE_ERROR; closed"},
		{"now", true, largest, "alive"},
		{"too large", true, largest + "x", "GOAWAY 0 FRAME_SIZE_ERROR; closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clientScript(t, http2.Config{StreamWindow: 1 << 20}, func(c *dialed) {
				if tt.proven {
					s, err := c.open(context.Background())
					if err != nil {
						c.t.Fatal(err)
					}
					c.until("HEADERS 1")
					c.write(headers(1, response(), 0))
					c.writeLarge(1, message(64<<10, 1))
					if _, _, err := s.Await(context.Background(), sized); err != nil {
						c.t.Fatal(err)
					}
					s.Close()
					if size := c.enlarged(); size != 128<<10 {
						c.t.Errorf("frames of %d bytes are allowed", size)
					}
				}
				s, err := c.open(context.Background())
				if err != nil {
					c.t.Fatal(err)
				}
				defer s.Close()
				id := uint32(1)
				if tt.proven {
					id = 3
				}
				c.until("HEADERS " + strconv.Itoa(int(id)))
				c.write(headers(id, response(), 0), data(id, tt.data, 0))
				c.wantOutcome(tt.want)
			})
		})
	}
}

// TestDirect would break if a stream that goes away left the rest of a DATA frame,
// which is read to where it belonged, in memory that somebody else has by then.
func TestDirect(t *testing.T) {
	const n = 100 << 10
	c := dialSocket(t, http2.Config{NoSpin: true})
	open := func(ctx context.Context) (transport.Stream, chan error) {
		s, err := c.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}, End: true})
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan error, 1)
		go func() {
			_, _, err := s.Await(ctx, sized)
			got <- err
		}()
		return s, got
	}
	s, got := open(t.Context())
	c.write(headers(1, response(), 0))
	c.writeLarge(1, message(n, 1)) // now the size is proven
	if err := within(t, "Await", got, patience); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if size := c.enlarged(); size != 128<<10 {
		t.Fatalf("after a large message, frames of %d bytes are allowed", size)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, got = open(ctx)
	reads(t, c.conn, oneSleeps) // or its memory is not made for what it waits for
	f := data(3, string(message(n, 2)), 0)
	c.write(headers(3, response(), 0), f[:n/2])
	reads(t, c.conn, func(r http2.Reading) bool { return r.Direct > 0 })
	cancel()
	if err := within(t, "Await", got, patience); err == nil {
		t.Fatal("the message came, although its second half was not sent")
	}
	s.Close()
	others := make([][]byte, 100)
	for i := range others {
		others[i] = buffer.Get(n)[:n]
		clear(others[i])
	}
	c.write(f[n/2:])
	reads(t, c.conn, func(r http2.Reading) bool { return r.Direct == 0 })
	for i, b := range others {
		if !bytes.Equal(b, make([]byte, n)) {
			t.Errorf("buffer %d was written to by the connection", i)
		}
	}
}

// TestDirectAtTheEnd would break if a message was not read to where it belongs because its
// receiver, which wants no other, waits for the end of the stream.
func TestDirectAtTheEnd(t *testing.T) {
	const n = 100 << 10
	c := dialSocket(t, http2.Config{NoSpin: true})
	call := func() (transport.Stream, chan error) {
		s, err := c.conn.Open(t.Context(), &transport.Outgoing{
			Header: &transport.Header{Block: requestBlock}, End: true, AwaitsEnd: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan error, 1)
		go func() {
			_, _, err := s.Await(t.Context(), func(buffered []byte) int { return sized(buffered) + 1 })
			got <- err
		}()
		reads(t, c.conn, oneSleeps)
		return s, got
	}
	s, got := call()
	c.write(headers(1, response(), 0))
	c.writeLarge(1, message(n, 1))
	if err := within(t, "the first message", got, patience); err != nil {
		t.Fatal(err)
	}
	s.Close()
	c.enlarged()

	s, got = call()
	f := data(3, string(message(n, 2)), fEnd)
	c.write(headers(3, response(), 0), f[:n/2])
	reads(t, c.conn, func(r http2.Reading) bool { return r.Direct > 0 })
	c.write(f[n/2:])
	if err := within(t, "the second message", got, patience); err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// TestProvenWithoutWaiting would break if the size of a message counted only where its
// receiver had waited for it.
func TestProvenWithoutWaiting(t *testing.T) {
	const n = 100 << 10
	for _, end := range []byte{0, fEnd} {
		clientScript(t, http2.Config{StreamWindow: 1 << 20}, func(c *dialed) {
			first, err := c.open(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			c.write(headers(1, response(), 0))
			c.chunks(1, message(n, 1))
			c.write(data(1, "", end))
			synctest.Wait()
			if got, _, err := first.Await(context.Background(), sized); err != nil || len(got) != 4+n {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			first.Close()
			c.enlarged()

			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			second, err := c.open(ctx)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				_, _, _ = second.Await(ctx, sized)
				second.Close()
			}()
			synctest.Wait()
			c.write(headers(3, response(), 0), data(3, string(message(n, 2)), 0)[:n/2])
			synctest.Wait()
			if direct := http2.ReadingOf(c.conn).Direct; direct == 0 {
				t.Errorf("with end %d, the rest of a message is not read to where it belongs", end)
			}
		})
	}
}
