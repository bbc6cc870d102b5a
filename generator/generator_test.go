package generator

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// goldenModule is where the go_package options of the test protos point.
const goldenModule = "example.com/golden"

// goldenCases are runs of the generator. Their outputs fit into one Go module,
// so that they can be compiled together.
var goldenCases = []struct {
	name   string
	params string
	files  []string
}{
	{"hello", "module=" + goldenModule, []string{"hello/api.proto"}},
	{"kinds", "module=" + goldenModule, []string{"kinds/kinds.proto", "kinds/shared.proto", "other/other.proto"}},
	{"comments", "module=" + goldenModule, []string{"comments/comments.proto"}},
	{"deprecated", "module=" + goldenModule, []string{"deprecated/deprecated.proto"}},
	{"collide", "module=" + goldenModule, []string{"collide/a_first.proto", "collide/b_second.proto", "collide/opaque.proto"}},
	{"clash", "module=" + goldenModule, []string{"clash/clash.proto"}},
	{"editions", "module=" + goldenModule, []string{"editions/editions.proto"}},
	{"proto2", "module=" + goldenModule, []string{"proto2/proto2.proto"}},
	// Stubs in packages of their own, beside the ones of "hello" and "kinds".
	{"suffix", "module=" + goldenModule + ",package_suffix=yodel", []string{"hello/api.proto", "kinds/kinds.proto", "collide/a_first.proto"}},
	{"renamed", "module=" + goldenModule + ",Mdeprecated/deprecated.proto=" + goldenModule + "/renamed;renamedpb" +
		",service_name=golden.deprecated.Old=grpc.health.v1.Health", []string{"deprecated/deprecated.proto"}},
	{"sourcerelative", "paths=source_relative", []string{"hello/api.proto"}},
}

// request is what protoc would send for files.
func request(t *testing.T, params string, files ...string) *pluginpb.CodeGeneratorRequest {
	t.Helper()
	raw, err := os.ReadFile("testdata/protos.binpb")
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	return &pluginpb.CodeGeneratorRequest{
		FileToGenerate:  files,
		Parameter:       &params,
		ProtoFile:       set.File,
		CompilerVersion: &pluginpb.Version{Major: new(int32(36)), Minor: new(int32(2)), Patch: new(int32(0)), Suffix: new("rc1")},
	}
}

// generate runs the generator, and with messages protoc-gen-go's as well, and
// returns the generated files by name.
func generate(t *testing.T, req *pluginpb.CodeGeneratorRequest, messages bool) map[string]string {
	t.Helper()
	var opts Options
	gen, err := protogen.Options{ParamFunc: opts.Set}.New(req)
	if err != nil {
		t.Fatal(err)
	}
	opts.Generate(gen)
	for _, f := range gen.Files {
		if messages && f.Generate {
			internal_gengo.GenerateFile(gen, f)
		}
	}
	resp := gen.Response()
	if resp.Error != nil {
		t.Fatal(resp.GetError())
	}
	files := make(map[string]string)
	for _, f := range resp.File {
		files[f.GetName()] = f.GetContent()
	}
	return files
}

// What the generator writes changes only on purpose:
//
//	go test ./generator -run TestGolden -update
//
// The descriptors come from testdata/protos; after a change there, run first
//
//	cd cmd/yodel && go test -run TestGeneratorDescriptorsAreFresh -update
func TestGolden(t *testing.T) {
	for _, tc := range goldenCases {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join("testdata", "golden", tc.name)
			got := generate(t, request(t, tc.params, tc.files...), false)
			if *update {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
				for name, content := range got {
					writeFile(t, filepath.Join(dir, name+".golden"), content)
				}
			}
			want := readGolden(t, dir)
			for name, content := range got {
				if want[name] != content {
					t.Errorf("%s differs from its golden file; got:\n%s", name, content)
				}
			}
			for name := range want {
				if _, ok := got[name]; !ok {
					t.Errorf("%s was not generated", name)
				}
			}
		})
	}
}

func readGolden(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, strings.TrimSuffix(path, ".golden"))
		files[filepath.ToSlash(rel)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The golden files compile, with the messages and with the runtime of this
// repository: names that collide would show here.
func TestGoldenCompiles(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, tc := range goldenCases {
		if tc.name == "sourcerelative" {
			continue // the same package as hello's
		}
		req := request(t, tc.params, tc.files...)
		if tc.name == "clash" {
			// The packages that it imports are needed too.
			for _, f := range req.ProtoFile {
				if strings.HasPrefix(f.GetName(), "clash/") && f.GetName() != "clash/clash.proto" {
					req.FileToGenerate = append(req.FileToGenerate, f.GetName())
				}
			}
		}
		for name, content := range generate(t, req, true) {
			writeFile(t, filepath.Join(dir, name), content)
		}
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "go.sum"), string(sum))
	writeFile(t, filepath.Join(dir, "go.mod"), "module "+goldenModule+"\n\ngo 1.26.0\n\n"+
		"require (\n\tgithub.com/yodelrpc/yodel v0.0.0\n\tgoogle.golang.org/protobuf v1.36.12\n)\n\n"+
		"replace github.com/yodelrpc/yodel => "+root+"\n")
	cmd := exec.Command("go", "vet", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the generated code does not compile: %v\n%s", err, out)
	}
}

// The names do not depend on which files of a Go package are generated, nor on
// the order in which they are given.
func TestNamesAreStable(t *testing.T) {
	files := []string{"collide/a_first.proto", "collide/b_second.proto", "collide/opaque.proto"}
	all := generate(t, request(t, "module="+goldenModule, files...), false)

	slices.Reverse(files)
	for name, content := range generate(t, request(t, "module="+goldenModule, files...), false) {
		if content != all[name] {
			t.Errorf("%s depends on the order of the files", name)
		}
	}
	// b_second imports a_first, so that the request has both.
	alone := generate(t, request(t, "module="+goldenModule, "collide/b_second.proto"), false)
	if len(alone) != 1 || alone["collide/b_second_yodel.pb.go"] != all["collide/b_second_yodel.pb.go"] {
		t.Errorf("b_second_yodel.pb.go depends on whether a_first.proto is generated too")
	}
}

// protoc passes an editions file only to plugins that say that they know it.
func TestFeatures(t *testing.T) {
	gen, err := protogen.Options{}.New(request(t, "", "editions/editions.proto"))
	if err != nil {
		t.Fatal(err)
	}
	Options{}.Generate(gen)
	resp := gen.Response()
	want := uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL | pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS)
	if resp.GetSupportedFeatures() != want {
		t.Errorf("features %b, want %b", resp.GetSupportedFeatures(), want)
	}
	if resp.GetMinimumEdition() != int32(internal_gengo.SupportedEditionsMinimum) ||
		resp.GetMaximumEdition() != int32(internal_gengo.SupportedEditionsMaximum) {
		t.Errorf("editions %d to %d, want protoc-gen-go's", resp.GetMinimumEdition(), resp.GetMaximumEdition())
	}
}

// annotate_code makes protogen look for each annotated symbol in the output.
func TestAnnotations(t *testing.T) {
	files := generate(t, request(t, "annotate_code=true,module="+goldenModule, "kinds/kinds.proto"), false)
	meta := files["kinds/kinds_yodel.pb.go.meta"]
	if strings.Count(meta, "annotation:") < 10 {
		t.Errorf("few annotations: %s", meta)
	}
}

func TestOptions(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		wantErr     string // part of the error; "" for none
	}{
		{"package_suffix", "yodel", ""},
		{"package_suffix", "", ""},
		{"package_suffix", "_rpc2", ""},
		{"package_suffix", "a/b", "package_suffix"},
		{"package_suffix", "é", "ASCII"},
		{"package_suffix", "_test", "_test"},
		{"service_name", "a.B=c.D", ""},
		{"service_name", "a.B", "service_name=<full name"},
		{"service_name", "a.B=", "service_name=<full name"},
		{"service_name", "=c.D", "service_name=<full name"},
		{"service_name", "a.B=c/D", "service_name=<full name"},
		{"service_name", "a.B=c.D\r\n", "service_name=<full name"},
		{"sufix", "yodel", `unknown option "sufix"`},
	} {
		var opts Options
		err := opts.Set(tc.name, tc.value)
		if tc.wantErr == "" && err != nil || tc.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tc.wantErr)) {
			t.Errorf("Set(%q, %q) = %v, want %q", tc.name, tc.value, err, tc.wantErr)
		}
	}

	var opts Options
	for _, value := range []string{"a.B=c.D", "a.C=c.E", "a.B=c.D"} {
		if err := opts.Set("service_name", value); err != nil {
			t.Error(err)
		}
	}
	if err := opts.Set("service_name", "a.B=c.F"); err == nil {
		t.Error("one service got two names on the wire")
	}
}

// A comment of a .proto is prose in Go too, whatever it looks like.
func TestDocComment(t *testing.T) {
	for _, tc := range []struct {
		opening    string
		comment    protogen.Comments
		deprecated bool
		want       string
	}{
		{"", "", false, ""},
		{"A is.", "", false, "// A is.\n"},
		{"A is.", " b\n", false, "// A is.\n//\n// b\n"},
		{"", " b\n", true, "// b\n//\n// Deprecated: Do not use.\n"},
		{"", "", true, "// Deprecated: Do not use.\n"},
		{"", " b\n\n Deprecated: use c\n", true, "// b\n//\n// Deprecated: use c\n"},
		{"", " Not a paragraph\n Deprecated: use c\n", true, "// Not a paragraph\n// Deprecated: use c\n//\n// Deprecated: Do not use.\n"},
		{"", "go:generate evil\nline x.go:1\n", false, "// go:generate evil\n// line x.go:1\n"},
		{"", " a\r\n b\r\n", false, "// a\n// b\n"},
		{"", "\n\n", false, ""},
	} {
		if got := docComment(tc.opening, tc.comment, tc.deprecated); got != tc.want {
			t.Errorf("docComment(%q, %q, %v) = %q, want %q", tc.opening, tc.comment, tc.deprecated, got, tc.want)
		}
	}
}

// protoc-gen-go-grpc's stubs of one .proto have names that ours have too; with
// package_suffix there is nothing in common, not even the folder.
func TestBesideProtocGenGoGRPC(t *testing.T) {
	grpc, err := os.ReadFile("testdata/protoc-gen-go-grpc/api_grpc.pb.go.golden")
	if err != nil {
		t.Fatal(err)
	}
	theirs := packageNames(t, grpc)
	same := generate(t, request(t, "module="+goldenModule, "hello/api.proto"), false)["hello/api_yodel.pb.go"]
	var shared []string
	for name := range packageNames(t, []byte(same)) {
		if theirs[name] {
			shared = append(shared, name)
		}
	}
	slices.Sort(shared)
	if want := []string{"ApiClient", "ApiServer", "NewApiClient", "apiClient"}; !slices.Equal(shared, want) {
		t.Errorf("names in common: %q, want %q: is package_suffix still needed?", shared, want)
	}

	apart := generate(t, request(t, "package_suffix=yodel,module="+goldenModule, "hello/api.proto"), false)
	content, ok := apart["hello/helloyodel/api_yodel.pb.go"]
	if !ok || len(apart) != 1 {
		t.Fatalf("stubs are not in a folder of their own: %v", apart)
	}
	if !strings.Contains(content, "package helloyodel\n") {
		t.Error("stubs are not in a package of their own")
	}
}

// packageNames returns the names declared at package level in src.
func packageNames(t *testing.T, src []byte) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, decl := range f.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv == nil {
				names[decl.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names[spec.Name.Name] = true
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						names[name.Name] = true
					}
				}
			}
		}
	}
	delete(names, "_")
	return names
}

// Templates in a program switch off the linker's removal of unused methods.
func TestLinksNoTemplates(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".", "../cmd/protoc-gen-go-yodel").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	for _, banned := range []string{"text/template", "html/template", "net/http"} {
		if slices.Contains(deps, banned) {
			t.Errorf("the generator links %s", banned)
		}
	}
	if !slices.Contains(deps, "google.golang.org/protobuf/compiler/protogen") {
		t.Error("go list -deps shows no protogen: does this test see anything?")
	}
}
