package yodel

import (
	"strconv"
	"testing"
	"unsafe"

	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/transport"
)

// A call's memory on a server is one allocation: this is the class of sizes
// that it is in.
func TestServerCallSize(t *testing.T) {
	if size, bare := unsafe.Sizeof(serverCall{}), unsafe.Sizeof(bareCall{}); size > 160 || bare > 64 {
		t.Errorf("a serverCall has %d bytes, more than 160, or a bareCall %d, more than 64", size, bare)
	}
}

// What a channel and a server remember is bounded, whatever methods are called
// and whatever peers send.
func TestMemosAreBounded(t *testing.T) {
	c, err := NewChannel("a:1", ChannelConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2*maxBlocks + 10 {
		m := &Method{Service: "a", Name: "b"}
		if _, err := c.block(m, &callParams{}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.block(m, &callParams{codec: encoding.JSON{}}); err != nil {
			t.Fatal(err)
		}
	}
	usual := 0
	c.blocks.usual.Range(func(any, any) bool { usual++; return true })
	if usual > maxBlocks || len(c.blocks.unusual) > maxBlocks {
		t.Errorf("a channel remembers %d and %d methods, want %d at most", usual, len(c.blocks.unusual), maxBlocks)
	}

	s := NewServer(ServerConfig{})
	for i := range 2 * maxResponses {
		s.read(&transport.Header{Block: &transport.Block{Method: "POST", Path: "/", Fields: []transport.Field{
			{Name: "content-type", Value: "application/grpc+" + strconv.Itoa(i)},
		}}})
		s.responses.get("", strconv.Itoa(i))
	}
	if n := len(s.responses.known); n > maxResponses {
		t.Errorf("a server remembers %d responses, want %d at most", n, maxResponses)
	}

	var l panicLog
	for i := range 2 * panicLogPlaces {
		l.due(uintptr(i))
	}
	if n := len(l.logged); n > panicLogPlaces {
		t.Errorf("a server remembers %d places that panicked, want %d at most", n, panicLogPlaces)
	}
}

// The stream of a call that is over may be another call's: whoever asks for the end of
// the context while the call ends must not touch it any more. This one would panic.
func TestLateWatch(t *testing.T) {
	s := &serverCall{phase: phaseClosed, stream: struct{ transport.Stream }{}}
	if s.context().Done() == nil {
		t.Error("no channel")
	}
}

// A stream of a client is two allocations, whose classes of sizes these are.
func TestClientStreamSize(t *testing.T) {
	if stream, attempt := unsafe.Sizeof(clientStream{}), unsafe.Sizeof(attempt{}); stream > 256 || attempt > 256 {
		t.Errorf("a clientStream has %d bytes, and an attempt %d, more than 256", stream, attempt)
	}
}
