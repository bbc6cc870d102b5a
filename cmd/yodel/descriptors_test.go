package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/yodelrpc/yodel/cmd/yodel/internal/compile"
)

var update = flag.Bool("update", false, "rewrite the files that tests compare with")

const generatorTestdata = "../../generator/testdata"

// compileGeneratorProtos compiles the generator's test protos.
func compileGeneratorProtos(t *testing.T, files ...string) *compile.Set {
	t.Helper()
	root := filepath.Join(generatorTestdata, "protos")
	if len(files) == 0 {
		var err error
		if files, err = protosBelow(root); err != nil {
			t.Fatal(err)
		}
	} else {
		for i := range files {
			files[i] = filepath.Join(root, files[i])
		}
	}
	set, diagnostics, err := compile.Compile(t.Context(), []string{root}, files)
	for _, d := range diagnostics {
		if !d.Warning {
			t.Error(d)
		}
	}
	if err != nil || set == nil {
		t.Fatalf("compile: %v", err)
	}
	return set
}

// The root module has no compiler for .proto files; its golden tests read the
// descriptors that this test keeps in step with the sources.
func TestGeneratorDescriptorsAreFresh(t *testing.T) {
	set := compileGeneratorProtos(t)
	want, err := proto.MarshalOptions{Deterministic: true}.Marshal(&descriptorpb.FileDescriptorSet{File: set.Files})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(generatorTestdata, "protos.binpb")
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s is not what its .proto files compile to; run: go test -run %s -update", path, t.Name())
	}
}
