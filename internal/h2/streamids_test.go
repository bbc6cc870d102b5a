package h2

import (
	"testing"

	"github.com/yodelrpc/yodel/internal/frame"
)

func TestLocalIDs(t *testing.T) {
	for _, tt := range []struct {
		role        Role
		first, then uint32
	}{{Client, 1, 3}, {Server, 2, 4}} {
		ids := NewStreamIDs(tt.role, 0)
		if a, ok := ids.Next(); a != tt.first || !ok {
			t.Errorf("%v starts with %d", tt.role, a)
		}
		if b, ok := ids.Next(); b != tt.then || !ok {
			t.Errorf("%v goes on with %d", tt.role, b)
		}
	}
}

// Without the drain mark a connection would run into its last id at full load.
func TestIDsRunOut(t *testing.T) {
	ids := NewStreamIDs(Client, 5)
	for _, want := range []uint32{1, 3} {
		if ids.Exhausted() {
			t.Fatalf("exhausted before %d, want at 5", want)
		}
		ids.Next()
	}
	if !ids.Exhausted() {
		t.Fatal("not exhausted at 5")
	}
	if id, ok := ids.Next(); id != 5 || !ok {
		t.Fatal("streams on their way must still get an id")
	}
	ids.next = frame.MaxStreamID
	if id, ok := ids.Next(); id != frame.MaxStreamID || !ok {
		t.Fatalf("last id %d, %v", id, ok)
	}
	if id, ok := ids.Next(); ok {
		t.Fatalf("%d after the last id", id)
	}
	if d := NewStreamIDs(Client, 0); d.Exhausted() || d.drainAt != DefaultDrainAtID {
		t.Error("the default is not in force")
	}
}

func TestOpenRemote(t *testing.T) {
	ids := NewStreamIDs(Server, 0)
	for _, id := range []uint32{1, 7} {
		if opened, err := ids.OpenRemote(id); !opened || err != nil {
			t.Fatal(id, opened, err)
		}
	}
	if ids.HighestRemote() != 7 || ids.IsIdle(5) || !ids.IsIdle(9) {
		t.Error("7 must close the ids below it (RFC 9113 §5.1.1)")
	}
	_, err := ids.OpenRemote(5)
	wantError(t, err, frame.CodeProtocol, 0)
	_, err = ids.OpenRemote(8)
	wantError(t, err, frame.CodeProtocol, 0)
	client := NewStreamIDs(Client, 0)
	client.Next()
	_, err = client.OpenRemote(2)
	wantError(t, err, frame.CodeProtocol, 0)
	_, err = client.OpenRemote(3)
	wantError(t, err, frame.CodeProtocol, 0)
}

func TestMissing(t *testing.T) {
	server := NewStreamIDs(Server, 0)
	_, _ = server.OpenRemote(21)
	server.Closed(9, true)
	server.Closed(11, false)
	client := NewStreamIDs(Client, 0)
	for range 11 {
		client.Next() // up to 21
	}
	client.Closed(9, true)
	client.Closed(11, false)
	const ignore = frame.CodeNo
	for _, tt := range []struct {
		name   string
		ids    *StreamIDs
		frame  frame.Type
		id     uint32
		code   frame.Code
		stream uint32
	}{
		{"PRIORITY on idle", &server, frame.TypePriority, 99, ignore, 0},
		{"unknown type on idle", &server, 0xbe, 99, ignore, 0},
		{"DATA on idle", &server, frame.TypeData, 23, frame.CodeProtocol, 0},
		{"RST_STREAM on idle", &server, frame.TypeRSTStream, 23, frame.CodeProtocol, 0},
		{"WINDOW_UPDATE on idle", &server, frame.TypeWindowUpdate, 23, frame.CodeProtocol, 0},
		{"DATA on an even id", &server, frame.TypeData, 2, frame.CodeProtocol, 0},
		{"late WINDOW_UPDATE", &server, frame.TypeWindowUpdate, 11, ignore, 0},
		{"late RST_STREAM", &server, frame.TypeRSTStream, 11, ignore, 0},
		{"DATA after our reset", &server, frame.TypeData, 9, ignore, 0},
		{"HEADERS after our reset", &server, frame.TypeHeaders, 9, ignore, 0},
		{"DATA after the end", &server, frame.TypeData, 11, frame.CodeStreamClosed, 11},
		{"HEADERS after the end", &server, frame.TypeHeaders, 11, frame.CodeStreamClosed, 0},
		{"HEADERS on a skipped id", &server, frame.TypeHeaders, 13, frame.CodeProtocol, 0},
		{"DATA on a forgotten stream", &server, frame.TypeData, 1, ignore, 0},
		{"client: DATA on idle", &client, frame.TypeData, 23, frame.CodeProtocol, 0},
		{"client: HEADERS on idle", &client, frame.TypeHeaders, 23, frame.CodeProtocol, 0},
		{"client: HEADERS of a push", &client, frame.TypeHeaders, 2, frame.CodeProtocol, 0},
		{"client: HEADERS after our reset", &client, frame.TypeHeaders, 9, ignore, 0},
		{"client: HEADERS after the end", &client, frame.TypeHeaders, 11, frame.CodeStreamClosed, 11},
		{"client: HEADERS on a forgotten stream", &client, frame.TypeHeaders, 1, ignore, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.ids.Missing(tt.frame, tt.id)
			if tt.code == ignore {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantError(t, err, tt.code, tt.stream)
		})
	}
}

// A peer that makes us reset streams for ever does not make us remember them.
func TestClosedStreamsAreForgotten(t *testing.T) {
	ids := NewStreamIDs(Server, 0)
	for id := uint32(1); id < 20*rememberedStreams; id += 2 {
		_, _ = ids.OpenRemote(id)
		ids.Closed(id, false)
	}
	if len(ids.closed) != rememberedStreams {
		t.Fatalf("%d streams remembered, want %d", len(ids.closed), rememberedStreams)
	}
	last := ids.HighestRemote()
	wantError(t, ids.Missing(frame.TypeData, last), frame.CodeStreamClosed, last)
	oldest := last - 2*(rememberedStreams-1)
	wantError(t, ids.Missing(frame.TypeData, oldest), frame.CodeStreamClosed, oldest)
	if err := ids.Missing(frame.TypeData, oldest-2); err != nil {
		t.Error("a forgotten stream:", err)
	}
}
