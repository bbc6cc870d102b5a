package main

import (
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yodelrpc/yodel/cmd/yodel/internal/compile"
	"github.com/yodelrpc/yodel/cmd/yodel/internal/emit"
)

// Whatever a .proto file holds, yodel generate ends with errors that have a
// place, or with Go source that parses; it does not panic. (Not a fuzz target:
// the compiler's goroutines make coverage differ from run to run, and the
// engine spends its time on minimizing.)
func TestDamagedSources(t *testing.T) {
	var seeds []string
	for _, pattern := range []string{"testdata/protos/*.proto", generatorTestdata + "/protos/*/*.proto"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no seeds in %s: %v", pattern, err)
		}
		seeds = append(seeds, found...)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "x.proto")
	r := rand.New(rand.NewPCG(7, 7541))
	compiled := 0
	for range 800 {
		text, err := os.ReadFile(seeds[r.IntN(len(seeds))])
		if err != nil {
			t.Fatal(err)
		}
		text = damage(r, text)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if generatesOrFails(t, dir, file) {
			compiled++
		}
		if t.Failed() {
			t.Fatalf("with this source:\n%s", text)
		}
	}
	if compiled < 20 {
		t.Errorf("only %d of the sources compiled: the damage is too great to test much", compiled)
	}
}

// damage changes, removes or repeats a few bytes.
func damage(r *rand.Rand, text []byte) []byte {
	for range 1 + r.IntN(3) {
		i := r.IntN(len(text))
		j := min(len(text), i+r.IntN(30))
		switch r.IntN(4) {
		case 0:
			text[i] = byte(r.IntN(256))
		case 1:
			text[i] ^= 1 << r.IntN(8)
		case 2:
			text = slices.Delete(text, i, j)
		case 3:
			text = slices.Insert(text, r.IntN(len(text)), slices.Clone(text[i:j])...)
		}
		if len(text) == 0 {
			return []byte("x")
		}
	}
	return text
}

// generatesOrFails reports whether file compiles.
func generatesOrFails(t *testing.T, dir, file string) bool {
	t.Helper()
	set, diagnostics, err := compile.Compile(t.Context(), []string{dir}, []string{file})
	for _, d := range diagnostics {
		if d.String() == "" || d.Line > 0 && d.Column < 1 {
			t.Errorf("diagnostic without a place: %+v", d)
		}
	}
	if set == nil {
		if err == nil && !compile.Failed(diagnostics) {
			t.Error("no result and no error")
		}
		return false
	}
	result, err := emit.Generate(set, []string{"paths=source_relative", "Mx.proto=example.com/x;x"})
	if err != nil {
		return true
	}
	for _, f := range result.Files {
		if !strings.HasSuffix(f.Name, ".go") {
			t.Errorf("a file called %s", f.Name)
		}
		if _, err := parser.ParseFile(token.NewFileSet(), f.Name, f.Content, 0); err != nil {
			t.Errorf("the generated source does not parse: %v", err)
		}
	}
	return true
}
