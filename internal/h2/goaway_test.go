package h2

import (
	"strings"
	"testing"

	"github.com/yodelrpc/yodel/internal/frame"
)

func TestGoAwayReceived(t *testing.T) {
	var g GoAway
	if g.Received() || g.Unprocessed(99) {
		t.Error("nothing was received")
	}
	if err := g.Receive(frame.GoAway{Last: frame.MaxStreamID}, Client); err != nil || g.Unprocessed(frame.MaxStreamID) {
		t.Fatal("the announcement of a drain must leave all streams alone:", err)
	}
	debug := []byte(strings.Repeat("x", 1000))
	if err := g.Receive(frame.GoAway{Last: 5, Code: frame.CodeEnhanceYourCalm, Debug: debug}, Client); err != nil {
		t.Fatal(err)
	}
	debug[0] = 'y' // the frame's memory is used again
	if !g.Received() || g.Unprocessed(5) || !g.Unprocessed(7) || g.Code() != frame.CodeEnhanceYourCalm || g.Debug() != strings.Repeat("x", maxGoAwayDebug) {
		t.Errorf("%+v", g)
	}
	wantError(t, g.Receive(frame.GoAway{Last: 7}, Client), frame.CodeProtocol, 0)
	wantError(t, g.Receive(frame.GoAway{Last: 4}, Client), frame.CodeProtocol, 0)
	if g.Unprocessed(5) {
		t.Error("a refused GOAWAY took effect")
	}
	if err := g.Receive(frame.GoAway{Last: 0}, Client); err != nil || !g.Unprocessed(1) {
		t.Error("0 means that nothing was processed:", err)
	}
	var server GoAway
	if err := server.Receive(frame.GoAway{Last: 4}, Server); err != nil {
		t.Error("a client names the server's streams, which are even:", err)
	}
}

func TestGoAwaySent(t *testing.T) {
	var g GoAway
	if g.Sent() || g.Ignores(frame.MaxStreamID) {
		t.Error("nothing was sent")
	}
	if last, first := g.Announce(); last != frame.MaxStreamID || !first || !g.Sent() || g.Ignores(frame.MaxStreamID) {
		t.Error("the first step must refuse nothing:", last)
	}
	if _, first := g.Announce(); first {
		t.Error("announced twice")
	}
	if last := g.Finish(9); last != 9 || g.Ignores(9) || !g.Ignores(11) {
		t.Error("second step:", last)
	}
	if last := g.Finish(21); last != 9 {
		t.Errorf("last grew to %d", last)
	}
	if last, first := g.Announce(); last != 9 || first {
		t.Errorf("announced again with %d", last)
	}
	var sudden GoAway
	if last := sudden.Finish(0); last != 0 || !sudden.Ignores(1) {
		t.Error("sudden end:", last)
	}
}
