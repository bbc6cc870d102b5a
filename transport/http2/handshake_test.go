package http2_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// stuck is a [transport.Handshaker] that gets nowhere: it waits for ctx, or for
// the test to end it.
type stuck chan struct{}

var errTestOver = errors.New("the test is over")

func (s stuck) wait(ctx context.Context) (net.Conn, transport.AuthInfo, error) {
	select {
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	case <-s:
		return nil, nil, errTestOver
	}
}

func (s stuck) ClientHandshake(ctx context.Context, _ net.Conn, _ string) (net.Conn, transport.AuthInfo, error) {
	return s.wait(ctx)
}

func (s stuck) ServerHandshake(ctx context.Context, _ net.Conn) (net.Conn, transport.AuthInfo, error) {
	return s.wait(ctx)
}

func (stuck) Scheme() string { return "https" }

// TestHandshakeTime (R17) would break if a peer that stops in its security
// handshake could stay. What comes after that handshake is in TestSilence.
func TestHandshakeTime(t *testing.T) {
	const long = time.Hour
	for name, shake := range map[string]func(nc net.Conn, cfg http2.Config, h transport.Handshaker) error{
		"server": func(nc net.Conn, cfg http2.Config, h transport.Handshaker) error {
			return http2.ServeConn(context.Background(), nc, http2.ListenerConfig{Config: cfg, Handshaker: h}, handlerFunc(echo))
		},
		"client": func(nc net.Conn, cfg http2.Config, h transport.Handshaker) error {
			d := &http2.Dialer{Config: &cfg, Handshaker: h, DialContext: func(context.Context, string, string) (net.Conn, error) { return nc, nil }}
			_, err := d.Dial(context.Background(), transport.Endpoint{}, ignoreEvents{}, 0)
			return err
		},
	} {
		// play tells how long the handshake was let take.
		play := func(t *testing.T, limits http2.Limits) (took time.Duration, err error) {
			bubble(t, func(t *testing.T) {
				near, far := newPipe(pipeSize)
				start := time.Now()
				s, done := make(stuck), make(chan error, 1)
				go func() { done <- shake(far, http2.Config{Limits: limits}, s) }()
				select {
				case err = <-done:
				case <-time.After(long):
					close(s)
					err = <-done
				}
				took = time.Since(start)
				_ = near.Close()
			})
			return took, err
		}
		t.Run(name, func(t *testing.T) {
			if took, err := play(t, http2.Limits{}); took != 10*time.Second || err == nil || errors.Is(err, errTestOver) {
				t.Errorf("it took %v: %v; want 10s", took, err)
			}
			if took, err := play(t, http2.Limits{HandshakeTime: -1}); took != long || !errors.Is(err, errTestOver) {
				t.Errorf("without the limit it took %v: %v", took, err)
			}
		})
	}
}

// TestPrefaceTime (R17) is for the part of HandshakeTime that SettingsTime hides
// by default: a client cannot acknowledge SETTINGS before it has said its own.
func TestPrefaceTime(t *testing.T) {
	play := func(t *testing.T, limits http2.Limits) (out string, took time.Duration) {
		bubble(t, func(t *testing.T) {
			start := time.Now()
			s := serve(t, http2.Config{Limits: limits}, echo)
			s.write([]byte(clientPreface[:10]))
			out = s.until("no such frame")
			took = time.Since(start)
			_ = s.close()
		})
		return out, took
	}
	if out, took := play(t, http2.Limits{SettingsTime: -1}); out == "silence" || took < 10*time.Second || took > 11*time.Second {
		t.Errorf("half a preface: after %v the client saw %s, want the end after 10 s", took, out)
	}
	if out, _ := play(t, http2.Limits{SettingsTime: -1, HandshakeTime: -1}); out != "silence" {
		t.Errorf("without the limits the client saw %s", out)
	}
}
