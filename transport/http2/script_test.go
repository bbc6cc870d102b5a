package http2_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/internal/hpack"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

const clientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// The raw frame writer: it shares no code with package frame, and writes what
// it is told, legal or not.

const (
	tData = iota
	tHeaders
	tPriority
	tReset
	tSettings
	tPush
	tPing
	tGoAway
	tWindow
	tContinuation
)

const (
	fEnd        = 0x1
	fAck        = 0x1
	fEndHeaders = 0x4
	fPadded     = 0x8
	fPriority   = 0x20
)

// raw is a frame with any head before any payload.
func raw(typ, flags byte, id uint32, payload ...byte) []byte {
	return rawLen(len(payload), typ, flags, id, payload...)
}

// rawLen is a frame whose head lies about its length.
func rawLen(n int, typ, flags byte, id uint32, payload ...byte) []byte {
	b := []byte{byte(n >> 16), byte(n >> 8), byte(n), typ, flags}
	b = binary.BigEndian.AppendUint32(b, id)
	return append(b, payload...)
}

func u32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func settings(pairs ...uint32) []byte {
	var p []byte
	for i := 0; i < len(pairs); i += 2 {
		p = append(binary.BigEndian.AppendUint16(p, uint16(pairs[i])), u32(pairs[i+1])...)
	}
	return raw(tSettings, 0, 0, p...)
}

func settingsAck() []byte                     { return raw(tSettings, fAck, 0) }
func window(id, inc uint32) []byte            { return raw(tWindow, 0, id, u32(inc)...) }
func reset(id uint32, code frame.Code) []byte { return raw(tReset, 0, id, u32(uint32(code))...) }
func ping(s string) []byte                    { return raw(tPing, 0, 0, []byte(s)[:8]...) }
func pong(s string) []byte                    { return raw(tPing, fAck, 0, []byte(s)[:8]...) }

func data(id uint32, s string, flags byte) []byte { return raw(tData, flags, id, []byte(s)...) }

// padded is DATA with so many bytes of padding.
func padded(id uint32, s string, padding byte, flags byte) []byte {
	p := append([]byte{padding}, s...)
	return raw(tData, flags|fPadded, id, append(p, make([]byte, padding)...)...)
}

func goAway(last uint32, code frame.Code) []byte {
	return raw(tGoAway, 0, 0, append(u32(last), u32(uint32(code))...)...)
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

func repeat(n int, b []byte) []byte { return bytes.Repeat(b, n) }

// literal is a header field that uses and changes no compression table.
func literal(name, value string) []byte {
	b := append([]byte{0x00}, hpackLen(len(name))...)
	b = append(b, name...)
	b = append(b, hpackLen(len(value))...)
	return append(b, value...)
}

func hpackLen(n int) []byte {
	if n < 127 {
		return []byte{byte(n)}
	}
	b := []byte{127}
	for n -= 127; n >= 128; n >>= 7 {
		b = append(b, byte(n)|128)
	}
	return append(b, byte(n))
}

// fields is a header block of literals.
func fields(pairs ...string) []byte {
	var b []byte
	for i := 0; i < len(pairs); i += 2 {
		b = append(b, literal(pairs[i], pairs[i+1])...)
	}
	return b
}

// request is a good request's block, with more fields.
func request(more ...string) []byte {
	return fields(append([]string{":method", "POST", ":scheme", "http", ":path", "/test/Echo", ":authority", "test", "content-type", "test"}, more...)...)
}

// response is a good response's block.
func response(more ...string) []byte {
	return fields(append([]string{":status", "200", "content-type", "test"}, more...)...)
}

func trailers() []byte { return fields("result", "ok") }

// headers is a block in one HEADERS frame.
func headers(id uint32, block []byte, flags byte) []byte {
	return raw(tHeaders, flags|fEndHeaders, id, block...)
}

// peer is the scripted end of a connection.
type peer struct {
	t   testing.TB
	nc  net.Conn
	dec *hpack.Decoder
	in  []byte
	// all shows the frames that are left out of transcripts by default:
	// SETTINGS, acks and WINDOW_UPDATE.
	all bool
	// credit is what WINDOW_UPDATE has given, stream 0 being the connection.
	credit map[uint32]int64
	// settings are those of the other side's first frame.
	settings map[uint32]uint32
	pings    []string // PINGs of the other side
	// received counts DATA payload by stream.
	received map[uint32]int
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	return &peer{
		t: t, nc: nc, dec: hpack.NewDecoder(hpack.DefaultTableSize),
		credit: make(map[uint32]int64), received: make(map[uint32]int),
	}
}

// write writes frames. A connection that is gone is no error: what matters is
// what it said.
func (p *peer) write(frames ...[]byte) {
	for _, f := range frames {
		if _, err := p.nc.Write(f); err != nil {
			return
		}
	}
}

// next reads one frame; io.EOF at the end, os.ErrDeadlineExceeded after wait.
func (p *peer) next(wait time.Duration) (frame.Head, []byte, error) {
	_ = p.nc.SetReadDeadline(time.Now().Add(wait))
	var buf [4096]byte
	for {
		if len(p.in) >= frame.HeadLen {
			h := frame.ParseHead(p.in)
			if len(p.in) >= frame.HeadLen+h.Length {
				payload := p.in[frame.HeadLen:][:h.Length:h.Length]
				p.in = p.in[frame.HeadLen+h.Length:]
				p.account(h, payload)
				return h, payload, nil
			}
		}
		n, err := p.nc.Read(buf[:])
		p.in = append(p.in, buf[:n]...)
		if err != nil && n == 0 {
			return frame.Head{}, nil, err
		}
	}
}

func (p *peer) account(h frame.Head, payload []byte) {
	switch h.Type {
	case frame.TypeWindowUpdate:
		p.credit[h.StreamID] += int64(binary.BigEndian.Uint32(payload))
	case frame.TypeData:
		p.received[h.StreamID] += len(payload)
	case frame.TypePing:
		if h.Flags&fAck == 0 {
			p.pings = append(p.pings, string(payload))
		}
	case frame.TypeSettings:
		if p.settings == nil {
			p.settings = make(map[uint32]uint32)
			for ; len(payload) >= 6; payload = payload[6:] {
				p.settings[uint32(binary.BigEndian.Uint16(payload))] = binary.BigEndian.Uint32(payload[2:])
			}
		}
	}
}

// show is a frame as transcripts have it; empty to leave it out.
func (p *peer) show(h frame.Head, payload []byte) string {
	end := ""
	if h.Flags&fEnd != 0 {
		end = " END"
	}
	switch h.Type {
	case frame.TypeHeaders:
		got, err := p.dec.Decode(nil, payload, hpack.Limits{Bytes: 1 << 20, Fields: 1 << 20})
		if err != nil {
			p.t.Errorf("a header block that cannot be decoded: %v", err)
		}
		what := "trailers"
		if len(got) > 0 && got[0].Name[0] == ':' {
			what = got[0].Value
		}
		return fmt.Sprintf("HEADERS %d %s%s", h.StreamID, what, end)
	case frame.TypeData:
		return fmt.Sprintf("DATA %d %d%s", h.StreamID, len(payload), end)
	case frame.TypeRSTStream:
		return fmt.Sprintf("RST %d %v", h.StreamID, frame.Code(binary.BigEndian.Uint32(payload)))
	case frame.TypeGoAway:
		last := binary.BigEndian.Uint32(payload)
		if last == frame.MaxStreamID {
			return fmt.Sprintf("GOAWAY max %v", frame.Code(binary.BigEndian.Uint32(payload[4:])))
		}
		return fmt.Sprintf("GOAWAY %d %v", last, frame.Code(binary.BigEndian.Uint32(payload[4:])))
	case frame.TypePing:
		if h.Flags&fAck != 0 {
			return fmt.Sprintf("PONG %s", payload)
		}
		return fmt.Sprintf("PING %s", payload)
	case frame.TypeSettings, frame.TypeWindowUpdate:
		if !p.all {
			return ""
		}
		if h.Type == frame.TypeWindowUpdate {
			return fmt.Sprintf("WINDOW %d %d", h.StreamID, binary.BigEndian.Uint32(payload))
		}
		return fmt.Sprintf("SETTINGS %d%s", len(payload)/6, strings.Replace(end, "END", "ACK", 1))
	}
	return fmt.Sprintf("%v %d", h.Type, h.StreamID)
}

// isProbe tells PINGs of the other side that measure or probe; they are not
// what most scripts are about.
func isProbe(h frame.Head, payload []byte) bool {
	return h.Type == frame.TypePing && h.Flags&fAck == 0 && strings.HasPrefix(string(payload), "yodel/p")
}

// until reads frames up to and including the first whose transcript starts
// with stop, and returns the transcript. It ends early with "closed" at the end
// of the connection, and with "silence" after a minute without a frame.
func (p *peer) until(stop string) string {
	var lines []string
	for {
		h, payload, err := p.next(time.Minute)
		if err != nil {
			end := "closed"
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				end = "silence"
			}
			return strings.Join(append(lines, end), "; ")
		}
		if isProbe(h, payload) && !p.all && !strings.HasPrefix(stop, "PING") {
			continue
		}
		line := p.show(h, payload)
		if line == "" {
			continue
		}
		lines = append(lines, line)
		if strings.HasPrefix(line, stop) {
			return strings.Join(lines, "; ")
		}
	}
}

// outcome tells what has become of the connection and of the frames before: the
// transcript up to the answer of a PING, which is shown as "alive", or to the
// connection's end. When it returns, whoever wrote the answer is done with it: what
// is left to be written next waits for somebody else.
func (p *peer) outcome() string {
	synctest.Wait()
	defer synctest.Wait()
	p.write(ping("outcome?"))
	return strings.Replace(p.until("PONG outcome?"), "PONG outcome?", "alive", 1)
}

func (p *peer) want(stop, transcript string) {
	p.t.Helper()
	if got := p.until(stop); got != transcript {
		p.t.Errorf("the peer saw\n  %s\nwant\n  %s", got, transcript)
	}
}

// wantEnd reads to the end of the connection.
func (p *peer) wantEnd(transcript string) {
	p.t.Helper()
	p.want("no such frame", transcript)
}

func (p *peer) wantOutcome(transcript string) {
	p.t.Helper()
	if got := p.outcome(); got != transcript {
		p.t.Errorf("the peer saw\n  %s\nwant\n  %s", got, transcript)
	}
}

// served is a server under test and the scripted client on its connection.
type served struct {
	*peer
	end  *pipeEnd
	done chan error
	stop context.CancelFunc
}

// serve starts a server on a pipe. The script has to say hello. When the test
// ends, the connection is closed and the server must end.
func serve(t testing.TB, cfg http2.Config, h handlerFunc) *served {
	return serveSized(t, cfg, h, pipeSize)
}

func serveSized(t testing.TB, cfg http2.Config, h handlerFunc, size int) *served {
	if cfg.Limits.PingStrikes == 0 {
		cfg.Limits.PingStrikes = -1 // outcome asks with PINGs
	}
	near, far := newPipe(size)
	ctx, stop := context.WithCancel(context.Background())
	s := &served{peer: newPeer(t, near), end: near, done: make(chan error, 1), stop: stop}
	go func() { s.done <- http2.ServeConn(ctx, far, http2.ListenerConfig{Config: cfg}, h) }()
	return s
}

// hello says preface and SETTINGS and acknowledges the server's.
func (s *served) hello(pairs ...uint32) *served {
	s.write([]byte(clientPreface), settings(pairs...), settingsAck())
	return s
}

// close ends the connection from outside and waits for the server.
func (s *served) close() error {
	s.t.Helper()
	_ = s.end.Close()
	s.stop()
	select {
	case err := <-s.done:
		return err
	case <-time.After(time.Hour):
		s.t.Error("the server does not end")
		s.end.cut()
		return nil
	}
}

// bubble runs f in a synctest bubble. What f has started has two minutes to end,
// and then must have.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(2 * time.Minute) // virtual; time stops when this goroutine ends
		f(t)
	})
}

// serverScript runs a script against a server in a bubble, after hello.
func serverScript(t *testing.T, cfg http2.Config, h handlerFunc, script func(s *served)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		s := serve(t, cfg, h).hello()
		defer func() { _ = s.close() }()
		script(s)
	})
}

// dialed is a client under test and the scripted server on its connection.
type dialed struct {
	*peer
	end    *pipeEnd
	conn   transport.Conn
	events *recordEvents
}

// recordEvents remembers what the owner of a connection was told.
type recordEvents struct {
	draining, closed chan error
}

func newRecordEvents() *recordEvents {
	return &recordEvents{draining: make(chan error, 10), closed: make(chan error, 10)}
}

func (e *recordEvents) ConnOpen(transport.Conn)                  {}
func (e *recordEvents) ConnDraining(_ transport.Conn, err error) { e.draining <- err }
func (e *recordEvents) ConnClosed(_ transport.Conn, err error)   { e.closed <- err }

// dialPipe dials over near while hello is already on its way.
func dialPipe(near net.Conn, cfg http2.Config, events transport.ConnEvents) (transport.Conn, error) {
	d := &http2.Dialer{Config: &cfg, DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
	return d.Dial(context.Background(), transport.Endpoint{Network: "tcp", Address: "script"}, events, 0)
}

// dial starts a client on a pipe; the script is its server, which has said
// hello with these settings.
func dial(t testing.TB, cfg http2.Config, pairs ...uint32) *dialed {
	return dialSized(t, cfg, pipeSize, pairs...)
}

func dialSized(t testing.TB, cfg http2.Config, size int, pairs ...uint32) *dialed {
	t.Helper()
	near, far := newPipe(size)
	c := &dialed{peer: newPeer(t, far), end: far, events: newRecordEvents()}
	c.write(settings(pairs...), settingsAck())
	var err error
	if c.conn, err = dialPipe(near, cfg, c.events); err != nil {
		t.Fatalf("Dial: %v", err)
	}
	var hello [len(clientPreface)]byte
	if _, err := io.ReadFull(far, hello[:]); err != nil || string(hello[:]) != clientPreface {
		t.Fatalf("the client says %q, %v", hello, err)
	}
	return c
}

func (c *dialed) close() {
	c.t.Helper()
	_ = c.end.Close()
	select {
	case <-c.conn.Done():
	case <-time.After(time.Hour):
		c.t.Error("the client's connection does not end")
		c.end.cut()
	}
	if b := http2.BooksOf(c.conn); b.Streams+b.Active+b.Openings+b.Woken+b.FlushWaiters+b.Queued+b.Lane > 0 {
		c.t.Errorf("at its end the connection still has %+v", b)
	}
}

// clientScript runs a script against a client in a bubble.
func clientScript(t *testing.T, cfg http2.Config, script func(c *dialed), pairs ...uint32) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		c := dial(t, cfg, pairs...)
		defer c.close()
		script(c)
	})
}

// bubblePair is a server and a client of ours, joined by a pipe.
type bubblePair struct {
	t    testing.TB
	raw  *pipeListener
	lis  *http2.Listener
	conn transport.Conn
	done chan error
}

// newBubblePair is newPair for synctest bubbles. It is closed by close, inside
// of the bubble.
func newBubblePair(t testing.TB, l *pipeListener, h transport.Handler, serverConfig, clientConfig http2.Config) *bubblePair {
	t.Helper()
	p := &bubblePair{
		t: t, raw: l, done: make(chan error, 1),
		lis: http2.NewListener(l, http2.ListenerConfig{Config: serverConfig}),
	}
	go func() { p.done <- p.lis.Serve(h) }()
	p.conn = p.dial(clientConfig)
	return p
}

func (p *bubblePair) dial(cfg http2.Config) transport.Conn {
	p.t.Helper()
	d := &http2.Dialer{Config: &cfg, DialContext: p.raw.dial}
	conn, err := d.Dial(context.Background(), transport.Endpoint{Network: "tcp", Address: "pair"}, ignoreEvents{}, 0)
	if err != nil {
		p.t.Fatalf("Dial: %v", err)
	}
	return conn
}

// close ends both sides and sees that nothing is left.
func (p *bubblePair) close() {
	p.t.Helper()
	p.conn.Close(errors.New("the test is over"))
	<-p.conn.Done()
	p.lis.Close(errors.New("the test is over"))
	if err := <-p.done; err != nil {
		p.t.Errorf("Serve: %v", err)
	}
	if b := http2.BooksOf(p.conn); b.Streams+b.Active+b.Openings+b.FlushWaiters+b.Queued+b.Lane > 0 {
		p.t.Errorf("at its end the connection still has %+v", b)
	}
}

// open opens a stream with a request that is complete.
func (c *dialed) open(ctx context.Context) (transport.Stream, error) {
	return c.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}, End: true})
}

// result is what a call led to.
type result struct {
	status int
	data   string
	result string
	err    error
}

func (r result) String() string {
	if r.err != nil {
		return "error: " + r.err.Error()
	}
	return fmt.Sprintf("%d %q %s", r.status, r.data, r.result)
}

// call runs a call to its end in a goroutine.
func call(conn transport.Conn, body string) <-chan result {
	out := make(chan result, 1)
	go func() { out <- callNow(context.Background(), conn, body) }()
	return out
}

func callNow(ctx context.Context, conn transport.Conn, body string) (r result) {
	s, err := conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}, Data: []byte(body), End: true})
	if err != nil {
		return result{err: err}
	}
	defer s.Close()
	h, err := s.Header(ctx)
	if err != nil {
		return result{err: err}
	}
	r.status = h.Block.Status
	got, ended, err := s.Await(ctx, everything)
	if err != nil {
		return result{err: err}
	}
	if !ended {
		return result{err: errors.New("Await returned before the end")}
	}
	r.data = string(got)
	s.Discard(len(got))
	if tr := s.Trailer(); tr != nil {
		r.result, _ = tr.Get("result")
	}
	return r
}

// asError finds what a transport says of an error.
func asError(t testing.TB, err error) *transport.Error {
	t.Helper()
	e, ok := errors.AsType[*transport.Error](err)
	if !ok {
		t.Errorf("got %v, want a *transport.Error", err)
		return &transport.Error{}
	}
	return e
}

// answer is a whole good response.
func answer(id uint32, body string) []byte {
	return join(headers(id, response(), 0), data(id, body, 0), headers(id, trailers(), fEnd))
}

// blockUntilReset holds its slot until the stream is over.
func blockUntilReset(s transport.Stream, _ *transport.Header) {
	_, _, _ = s.Await(context.Background(), everything)
	s.Close()
}

// TestScript checks the tools: a plain exchange in both directions.
func TestScript(t *testing.T) {
	serverScript(t, http2.Config{}, echo, func(s *served) {
		s.write(headers(1, request(), 0), data(1, "hello", fEnd))
		s.want("HEADERS 1 trailers", "HEADERS 1 200; DATA 1 5; HEADERS 1 trailers END")
		s.wantOutcome("alive")
	})
	clientScript(t, http2.Config{}, func(c *dialed) {
		got := call(c.conn, "hello")
		c.want("DATA 1", "HEADERS 1 POST; DATA 1 5 END")
		c.write(answer(1, "world"))
		if r := (<-got).String(); r != `200 "world" ok` {
			t.Error(r)
		}
	})
}
