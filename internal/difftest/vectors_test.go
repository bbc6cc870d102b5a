package difftest

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/yodelrpc/yodel/internal/hpack"
	xhpack "golang.org/x/net/http2/hpack"
)

// vectorsEnv names the folder that holds a checkout of hpack-test-case.
const vectorsEnv = "YODEL_HPACK_VECTORS"

// story is one file of hpack-test-case: blocks that share a table.
type story struct {
	Cases []struct {
		Seqno           int                 `json:"seqno"`
		HeaderTableSize *uint32             `json:"header_table_size"`
		Wire            string              `json:"wire"`
		Headers         []map[string]string `json:"headers"`
	} `json:"cases"`
}

func (s *story) fields(i int) []hpack.Field {
	var out []hpack.Field
	for _, h := range s.Cases[i].Headers {
		for name, value := range h {
			out = append(out, hpack.Field{Name: name, Value: value})
		}
	}
	return out
}

// namesAndValues leaves out whether a field is sensitive: the vectors do not say.
func namesAndValues(fields []hpack.Field) string {
	plain := make([]hpack.Field, len(fields))
	for i, f := range fields {
		plain[i] = hpack.Field{Name: f.Name, Value: f.Value}
	}
	return ourFields(plain)
}

// ownStory is the form of a story, with the requests of RFC 7541 §C.3.
const ownStory = `{"cases":[
{"seqno":0,"wire":"828684410f7777772e6578616d706c652e636f6d",
 "headers":[{":method":"GET"},{":scheme":"http"},{":path":"/"},{":authority":"www.example.com"}]},
{"seqno":1,"wire":"828684be58086e6f2d6361636865",
 "headers":[{":method":"GET"},{":scheme":"http"},{":path":"/"},{":authority":"www.example.com"},{"cache-control":"no-cache"}]},
{"seqno":2,"wire":"828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
 "headers":[{":method":"GET"},{":scheme":"https"},{":path":"/index.html"},{":authority":"www.example.com"},{"custom-key":"custom-value"}]}]}`

// TestVectors decodes what other encoders made of recorded headers, and has
// x/net decode what ours makes of the same.
func TestVectors(t *testing.T) {
	if blocks := runStory(t, "own", []byte(ownStory)); blocks != 3 {
		t.Errorf("%d blocks of the story that is here, want 3", blocks)
	}
	dir := os.Getenv(vectorsEnv)
	if dir == "" {
		t.Log("the recorded stories are NOT RUN: set " + vectorsEnv + " to a checkout of github.com/http2jp/hpack-test-case")
		return
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no */*.json in %s: %v", dir, err)
	}
	blocks := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		blocks += runStory(t, filepath.Join(filepath.Base(filepath.Dir(file)), filepath.Base(file)), data)
	}
	t.Logf("%d blocks of %d stories decoded", blocks, len(files))
	if blocks == 0 {
		t.Error("no file has a block")
	}
}

func runStory(t *testing.T, name string, data []byte) (blocks int) {
	t.Helper()
	var s story
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Run(name, func(t *testing.T) {
		blocks = s.decode(t)
		s.encode(t)
	})
	return blocks
}

// decode returns how many blocks there were; raw-data has none, only headers.
func (s *story) decode(t *testing.T) (blocks int) {
	size := uint32(hpack.DefaultTableSize)
	for _, c := range s.Cases {
		// Sizes that the first block already relies on were known before it.
		if c.HeaderTableSize != nil {
			size = max(size, *c.HeaderTableSize)
		}
	}
	d := hpack.NewDecoder(size)
	for i, c := range s.Cases {
		if c.Wire == "" {
			continue
		}
		wire, err := hex.DecodeString(c.Wire)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Decode(nil, wire, unlimited)
		if err != nil {
			t.Fatalf("block %d: %v", c.Seqno, err)
		}
		if g, w := namesAndValues(got), namesAndValues(s.fields(i)); g != w {
			t.Fatalf("block %d:\ngot:  %s\nwant: %s", c.Seqno, g, w)
		}
		blocks++
	}
	return blocks
}

func (s *story) encode(t *testing.T) {
	for _, ix := range []hpack.Indexing{hpack.IndexAuto, hpack.IndexAlways, hpack.IndexNever} {
		e, d := hpack.NewEncoder(), xhpack.NewDecoder(hpack.DefaultTableSize, nil)
		for i, c := range s.Cases {
			if c.HeaderTableSize != nil {
				e.SetPeerTableSize(*c.HeaderTableSize)
				d.SetAllowedMaxDynamicTableSize(*c.HeaderTableSize)
			}
			fields := s.fields(i)
			block := e.Begin(nil)
			for _, f := range fields {
				block = e.AppendField(block, f, ix)
			}
			got, err := d.DecodeFull(block)
			if err != nil {
				t.Fatalf("block %d, indexing %d: %v", c.Seqno, ix, err)
			}
			if g, w := theirFields(got), ourFields(fields); g != w {
				t.Fatalf("block %d, indexing %d:\narrived: %s\nsent:    %s", c.Seqno, ix, g, w)
			}
		}
	}
}
