package difftest

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/yodelrpc/yodel/internal/frame"
)

// frameVectorsEnv names the folder that holds a checkout of
// http2-frame-test-case.
const frameVectorsEnv = "YODEL_FRAME_VECTORS"

// frameCase is one file of http2-frame-test-case: a frame, or the errors of
// which one is due.
type frameCase struct {
	Error []frame.Code `json:"error"`
	Wire  string       `json:"wire"`
	Frame *struct {
		Length   int         `json:"length"`
		Flags    frame.Flags `json:"flags"`
		StreamID uint32      `json:"stream_identifier"`
		Type     frame.Type  `json:"type"`
		Payload  struct {
			Data       *string `json:"data"`
			Fragment   *string `json:"header_block_fragment"`
			OpaqueData *string `json:"opaque_data"`
			Increment  *uint32 `json:"window_size_increment"`
			LastStream *uint32 `json:"last_stream_id"`
		} `json:"frame_payload"`
	} `json:"frame"`
}

// TestFrameVectors reads the cases that are here, and those of the folder if
// there is one.
func TestFrameVectors(t *testing.T) {
	for name, text := range map[string]string{
		"data":           `{"error":null,"wire":"000006000900000003022a2a2a0000","frame":{"length":6,"flags":9,"stream_identifier":3,"type":0,"frame_payload":{"data":"***"}}}`,
		"ping":           `{"error":null,"wire":"0000080600000000003031323334353637","frame":{"length":8,"flags":0,"stream_identifier":0,"type":6,"frame_payload":{"opaque_data":"01234567"}}}`,
		"window update":  `{"error":null,"wire":"000004080000000005000001f4","frame":{"length":4,"flags":0,"stream_identifier":5,"type":8,"frame_payload":{"window_size_increment":500}}}`,
		"padding":        `{"error":[1],"wire":"0000020008000000030200","frame":null}`,
		"short ping":     `{"error":[6],"wire":"00000406000000000000000000","frame":null}`,
		"stream of ping": `{"error":[1],"wire":"0000080600000000013031323334353637","frame":null}`,
	} {
		t.Run(name, func(t *testing.T) { checkFrameCase(t, []byte(text)) })
	}
	dir := os.Getenv(frameVectorsEnv)
	if dir == "" {
		t.Log("the published cases are NOT RUN: set " + frameVectorsEnv + " to a checkout of github.com/http2jp/http2-frame-test-case")
		return
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no */*.json in %s: %v", dir, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) { checkFrameCase(t, text) })
	}
}

func checkFrameCase(t *testing.T, text []byte) {
	t.Helper()
	var c frameCase
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	wire, err := hex.DecodeString(c.Wire)
	if err != nil || len(wire) < frame.HeadLen {
		t.Fatalf("wire %q: %v", c.Wire, err)
	}
	h := frame.ParseHead(wire)
	if h.Type == frame.TypePushPromise && c.Frame == nil {
		// Push is off: the connection refuses these frames whatever is in them
		// (RFC 9113 §8.4), and the parser need not tell bad from worse.
		return
	}
	p := parsed{err: frame.CheckSize(h, frame.MinMaxFrameSize)}
	if p.err == nil {
		if h.Length != len(wire)-frame.HeadLen {
			t.Fatalf("the head says %d bytes, and %d follow", h.Length, len(wire)-frame.HeadLen)
		}
		p = parseFrame(h, wire[frame.HeadLen:])
	}
	if c.Frame == nil {
		fe, ok := errors.AsType[*frame.Error](p.err)
		if !ok || !slices.Contains(c.Error, fe.Code) {
			t.Errorf("got %v, want one of %v", p.err, c.Error)
		}
		return
	}
	if p.err != nil {
		t.Fatal(p.err)
	}
	if h.Length != c.Frame.Length || h.Type != c.Frame.Type || h.Flags != c.Frame.Flags || h.StreamID != c.Frame.StreamID {
		t.Errorf("head %+v, want %+v", h, c.Frame)
	}
	c.comparePayload(t, p.value)
}

// comparePayload compares what the parser returned with what the case has of
// it.
func (c *frameCase) comparePayload(t *testing.T, value any) {
	t.Helper()
	payload := c.Frame.Payload
	text := func(name string, got []byte, want *string) {
		if want != nil && string(got) != *want {
			t.Errorf("%s %q, want %q", name, got, *want)
		}
	}
	number := func(name string, got uint32, want *uint32) {
		if want != nil && got != *want {
			t.Errorf("%s %d, want %d", name, got, *want)
		}
	}
	switch f := value.(type) {
	case frame.Data:
		text("data", f.Data, payload.Data)
	case frame.Headers:
		text("fragment", f.Fragment, payload.Fragment)
	case frame.Continuation:
		text("fragment", f.Fragment, payload.Fragment)
	case frame.Ping:
		text("opaque data", f.Data[:], payload.OpaqueData)
	case frame.WindowUpdate:
		number("increment", f.Increment, payload.Increment)
	case frame.GoAway:
		number("last stream", f.Last, payload.LastStream)
	}
}
