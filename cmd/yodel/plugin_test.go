package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/yodelrpc/yodel/cmd/yodel/internal/compile"
	"github.com/yodelrpc/yodel/cmd/yodel/internal/emit"
	"github.com/yodelrpc/yodel/generator"
)

// runPlugin does what protoc does with a plugin.
func runPlugin(t *testing.T, binary string, req *pluginpb.CodeGeneratorRequest) *pluginpb.CodeGeneratorResponse {
	t.Helper()
	in, err := proto.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	var out, stderr bytes.Buffer
	cmd := exec.Command(binary)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(binary), err, stderr.Bytes())
	}
	resp := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(out.Bytes(), resp); err != nil {
		t.Fatal(err)
	}
	if resp.Error != nil {
		t.Fatalf("%s: %s", filepath.Base(binary), resp.GetError())
	}
	return resp
}

// compileOwn compiles protos of this module's testdata.
func compileOwn(t *testing.T, names ...string) *compile.Set {
	t.Helper()
	for i := range names {
		names[i] = filepath.Join("testdata", "protos", names[i])
	}
	set, diagnostics, err := compile.Compile(t.Context(), []string{filepath.Join("testdata", "protos")}, names)
	if err != nil || set == nil {
		t.Fatalf("compile: %v, %v", err, diagnostics)
	}
	return set
}

// What yodel generate writes is, byte for byte, what protoc's plugins write
// for the same request: protoc-gen-go of the same version, and ours.
func TestSameAsPlugins(t *testing.T) {
	for _, tc := range []struct {
		name   string
		set    *compile.Set
		params []string
		stubs  []string // parameters of our plugin alone
	}{
		{"module", compileGeneratorProtos(t), []string{"module=example.com/golden"}, nil},
		{"import", compileGeneratorProtos(t), nil, nil},
		{"source_relative", compileGeneratorProtos(t), []string{"paths=source_relative"}, nil},
		{"suffix", compileGeneratorProtos(t), []string{"module=example.com/golden"}, []string{"package_suffix=yodel"}},
		{"service_name", compileGeneratorProtos(t), nil, []string{"service_name=golden.kinds.Store=a.B"}},
		{"mapped", compileGeneratorProtos(t, "hello/api.proto"), []string{"Mhello/api.proto=example.com/x;y"}, nil},
		{"rich", compileOwn(t, "rich.proto", "modern.proto"), []string{"paths=source_relative"}, nil},
		{"opaque", compileGeneratorProtos(t), []string{"default_api_level=API_OPAQUE"}, nil},
		{"hybrid", compileGeneratorProtos(t, "collide/a_first.proto", "collide/b_second.proto", "collide/opaque.proto"), []string{"default_api_level=API_HYBRID"}, nil},
		{"annotated", compileGeneratorProtos(t, "kinds/kinds.proto"), []string{"annotate_code=true", "apilevelMkinds/kinds.proto=API_OPAQUE"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			result, err := emit.Generate(tc.set, slices.Concat(tc.params, tc.stubs))
			if err != nil {
				t.Fatal(err)
			}
			got := make(map[string]string)
			for _, f := range result.Files {
				got[f.Name] = string(f.Content)
			}
			for _, plugin := range []struct {
				binary string
				params []string
			}{
				{protocGenGo, tc.params},
				{pluginBinary, slices.Concat(tc.params, tc.stubs)},
			} {
				req, err := emit.Request(tc.set, plugin.params)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range runPlugin(t, plugin.binary, req).File {
					if content, ok := got[f.GetName()]; !ok || !sameContent(t, f.GetName(), content, f.GetContent()) {
						t.Errorf("%s: yodel generate writes another %s (or none: %v)", filepath.Base(plugin.binary), f.GetName(), !ok)
					}
					delete(got, f.GetName())
				}
			}
			for name := range got {
				t.Errorf("no plugin writes %s", name)
			}
		})
	}
}

// sameContent compares generated files: Go source by its bytes, annotations by
// what they say, since each program spaces the text form in its own way.
func sameContent(t *testing.T, name, a, b string) bool {
	t.Helper()
	if !strings.HasSuffix(name, ".meta") {
		return a == b
	}
	var infos [2]descriptorpb.GeneratedCodeInfo
	for i, text := range []string{a, b} {
		if err := prototext.Unmarshal([]byte(text), &infos[i]); err != nil {
			t.Fatal(err)
		}
	}
	return proto.Equal(&infos[0], &infos[1])
}

var protocLine = regexp.MustCompile(`(?m)^// \tprotoc        .*$`)

// The files in testdata/protoc were written by protoc 36.2 with protoc-gen-go
// v1.36.12, so that the compiler is compared too. To write them again, in
// testdata/protos:
//
//	protoc --go_out=../protoc --go_opt=paths=source_relative *.proto
//
// and add .golden to their names.
func TestSameAsProtoc(t *testing.T) {
	result, err := emit.Generate(compileOwn(t, "rich.proto", "modern.proto"), []string{"paths=source_relative"})
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, f := range result.Files {
		if strings.HasSuffix(f.Name, "_yodel.pb.go") {
			continue
		}
		want, err := os.ReadFile(filepath.Join("testdata", "protoc", f.Name+".golden"))
		if err != nil {
			t.Fatal(err)
		}
		want = protocLine.ReplaceAll(want, []byte("// \tprotoc        (unknown)"))
		if !bytes.Equal(f.Content, want) {
			t.Errorf("%s differs from what protoc and protoc-gen-go write:\n%s", f.Name, firstDifference(f.Content, want))
		}
		compared++
	}
	if compared != 3 {
		t.Errorf("compared %d files, want rich, modern and modern's opaque variant", compared)
	}
}

func firstDifference(got, want []byte) string {
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(g), len(w)) {
		if !bytes.Equal(g[i], w[i]) {
			return "got  " + string(g[i]) + "\nwant " + string(w[i])
		}
	}
	return "one is longer"
}

func TestPluginCommandLine(t *testing.T) {
	out, err := exec.Command(pluginBinary, "--version").Output()
	if want := "protoc-gen-go-yodel " + generator.Version + "\n"; err != nil || string(out) != want {
		t.Errorf("--version: %q, %v, want %q", out, err, want)
	}
	out, err = exec.Command(pluginBinary, "--help").Output()
	if err != nil || !strings.Contains(string(out), "package_suffix=") {
		t.Errorf("--help: %q, %v", out, err)
	}
	if err := exec.Command(pluginBinary, "api.proto").Run(); err == nil {
		t.Error("an argument that means nothing is accepted")
	}

	// An error about an option comes back with a failing exit status, which
	// protoc shows.
	set := compileGeneratorProtos(t, "hello/api.proto")
	req, err := emit.Request(set, []string{"sufix=yodel"})
	if err != nil {
		t.Fatal(err)
	}
	in, err := proto.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(pluginBinary)
	cmd.Stdin = bytes.NewReader(in)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), `unknown option "sufix"`) {
		t.Errorf("unknown option: %v, %s", err, out)
	}
}
