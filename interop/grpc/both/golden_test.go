package both_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// generatorData are the golden files of the stub generator.
const generatorData = "../../../generator/testdata/"

// user uses both kinds of stubs of one .proto, as a program does that moves from
// one to the other.
const user = `package user

import (
	"context"

	"google.golang.org/grpc"

	"github.com/yodelrpc/yodel"

	"example.com/golden/hello"
	"example.com/golden/hello/helloyodel"
)

type impl struct{ hello.UnimplementedApiServer }

func (impl) ApiEndpoint(context.Context, *hello.ApiRequest) (*hello.ApiResponse, error) {
	return &hello.ApiResponse{}, nil
}

var (
	_ hello.ApiServer      = impl{}
	_ helloyodel.ApiServer = impl{}
)

func Register(theirs grpc.ServiceRegistrar, ours yodel.Registrar) {
	hello.RegisterApiServer(theirs, impl{})
	helloyodel.RegisterApi(ours, impl{})
}

func Clients(theirs grpc.ClientConnInterface, ours yodel.Caller) (hello.ApiClient, helloyodel.ApiClient) {
	return hello.NewApiClient(theirs), helloyodel.NewApiClient(ours)
}
`

// The golden stubs of one .proto compile together: protoc-gen-go-grpc's beside
// the messages, and ours, with package_suffix, in a package of their own.
func TestGoldenStubsOfOneProto(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"hello/api.pb.go":                  messages(t, "hello/api.proto"),
		"hello/api_grpc.pb.go":             read(t, generatorData+"protoc-gen-go-grpc/api_grpc.pb.go.golden"),
		"hello/helloyodel/api_yodel.pb.go": read(t, generatorData+"golden/suffix/hello/helloyodel/api_yodel.pb.go.golden"),
		"user/user.go":                     user,
		"go.mod":                           goMod(t),
		"go.sum":                           read(t, "../go.sum"),
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "vet", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the stubs do not compile together: %v\n%s", err, out)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// goMod is this module's go.mod for the module of the golden files.
func goMod(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(
		"module github.com/yodelrpc/yodel/interop/grpc", "module example.com/golden",
		"=> ../../", "=> "+root+"/",
		"=> ../..\n", "=> "+root+"\n",
	).Replace(read(t, "../go.mod"))
}

// messages is what protoc-gen-go makes of one of the generator's .proto files.
func messages(t *testing.T, file string) string {
	t.Helper()
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal([]byte(read(t, generatorData+"protos.binpb")), &set); err != nil {
		t.Fatal(err)
	}
	gen, err := protogen.Options{}.New(&pluginpb.CodeGeneratorRequest{FileToGenerate: []string{file}, ProtoFile: set.File})
	if err != nil {
		t.Fatal(err)
	}
	internal_gengo.GenerateFile(gen, gen.FilesByPath[file])
	resp := gen.Response()
	if resp.Error != nil || len(resp.File) != 1 {
		t.Fatalf("%d files, %s", len(resp.File), resp.GetError())
	}
	return resp.File[0].GetContent()
}
