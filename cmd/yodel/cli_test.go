package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sandbox is a folder in which tests run the yodel command.
type sandbox struct {
	t   *testing.T
	dir string
}

// newSandbox writes files, given by their slash-separated paths, to a folder
// that is in no Go module unless they contain a go.mod.
func newSandbox(t *testing.T, files map[string]string) *sandbox {
	t.Helper()
	s := &sandbox{t, t.TempDir()}
	for name, content := range files {
		s.write(name, content)
	}
	return s
}

func (s *sandbox) write(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sandbox) read(name string) string {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.dir, filepath.FromSlash(name)))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(content)
}

// files returns the paths of all files, sorted.
func (s *sandbox) files() []string {
	s.t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(s.dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return files
}

// yodel runs the command in the folder cd of the sandbox.
func (s *sandbox) yodel(cd string, args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(yodelBinary, args...)
	cmd.Dir = filepath.Join(s.dir, cd)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

const goMod = "module example.com/app\n\ngo 1.26.0\n"

// service is a .proto file with a service, and message one without.
func service(goPackage string) string {
	return "syntax = \"proto3\";\n" + goPackageOption(goPackage) +
		"service Api { rpc Do(Req) returns (Req); }\nmessage Req { string s = 1; }\n"
}

func message(goPackage string) string {
	return "syntax = \"proto3\";\npackage m;\n" + goPackageOption(goPackage) + "message Msg { string s = 1; }\n"
}

func goPackageOption(goPackage string) string {
	if goPackage == "" {
		return ""
	}
	return "option go_package = \"" + goPackage + "\";\n"
}

// What a run with given files and arguments writes. Each case also runs with
// --check before, which must fail, and after, which must succeed.
func TestGenerateWrites(t *testing.T) {
	for _, tc := range []struct {
		name   string
		files  map[string]string
		cd     string
		args   []string
		want   []string // the files written, sorted
		stdout string   // the paths printed, if not want joined
		stderr string   // a part of it; "" for nothing
	}{
		{
			name:  "one file, in the module",
			files: map[string]string{"go.mod": goMod, "protos/api.proto": service("example.com/app/apipb")},
			args:  []string{"protos/api.proto"},
			want:  []string{"apipb/api.pb.go", "apipb/api_yodel.pb.go"},
		},
		{
			name:   "from a folder of the module",
			files:  map[string]string{"go.mod": goMod, "sub/api.proto": service("example.com/app/sub/apipb")},
			cd:     "sub",
			args:   []string{"api.proto"},
			want:   []string{"sub/apipb/api.pb.go", "sub/apipb/api_yodel.pb.go"},
			stdout: "apipb/api.pb.go\napipb/api_yodel.pb.go\n",
		},
		{
			name:  "a nested module",
			files: map[string]string{"go.mod": goMod, "other/go.mod": "module example.org/other\n", "other/p/api.proto": service("example.org/other/apipb")},
			args:  []string{"other/p/api.proto"},
			want:  []string{"other/apipb/api.pb.go", "other/apipb/api_yodel.pb.go"},
		},
		{
			name:  "the module's root package",
			files: map[string]string{"go.mod": goMod, "api.proto": service("example.com/app")},
			args:  []string{"api.proto"},
			want:  []string{"api.pb.go", "api_yodel.pb.go"},
		},
		{
			name: "two files, one without a service",
			files: map[string]string{
				"go.mod": goMod, "p/api.proto": service("example.com/app/p"), "p/msg.proto": message("example.com/app/p"),
			},
			args: []string{"p/api.proto", "p/msg.proto", "./p/api.proto"},
			want: []string{"p/api.pb.go", "p/api_yodel.pb.go", "p/msg.pb.go"},
		},
		{
			name: "a folder",
			files: map[string]string{
				"go.mod": goMod, "p/a.proto": message("example.com/app/a"), "p/q/b.proto": strings.ReplaceAll(message("example.com/app/b"), "package m", "package n"),
				"p/.hidden/c.proto": "no proto", "p/vendor/d.proto": "no proto", "p/node_modules/x/e.proto": "no proto", "p/README": "",
			},
			args: []string{"p"},
			want: []string{"a/a.pb.go", "b/b.pb.go"},
		},
		{
			name:  "no argument: the current folder",
			files: map[string]string{"go.mod": goMod, "p/a.proto": message("example.com/app/p")},
			want:  []string{"p/a.pb.go"},
		},
		{
			name: "-I, with an import",
			files: map[string]string{
				"go.mod": goMod, "third/m/msg.proto": message("example.org/elsewhere/m"),
				"protos/api.proto": "syntax = \"proto3\";\nimport \"m/msg.proto\";\nimport \"google/protobuf/empty.proto\";\n" +
					"option go_package = \"example.com/app/api\";\nservice Api { rpc Do(m.Msg) returns (google.protobuf.Empty); }\n",
			},
			args: []string{"-I", "protos", "-I", "third", "protos/api.proto"},
			want: []string{"api/api.pb.go", "api/api_yodel.pb.go"},
		},
		{
			name:   "no go_package",
			files:  map[string]string{"go.mod": goMod, "api/v1/api.proto": service("")},
			args:   []string{"api/v1/api.proto"},
			want:   []string{"api/v1/api.pb.go", "api/v1/api_yodel.pb.go"},
			stderr: `api/v1/api.proto has no go_package; using "example.com/app/api/v1", from go.mod and the folder`,
		},
		{
			name:   "go_package with a name only",
			files:  map[string]string{"go.mod": goMod, "api/api.proto": service(";named")},
			args:   []string{"api/api.proto"},
			want:   []string{"api/api.pb.go", "api/api_yodel.pb.go"},
			stderr: "has no go_package",
		},
		{
			name: "no go_package, also not in an import",
			files: map[string]string{
				"go.mod": goMod, "m/msg.proto": message(""),
				"api/api.proto": "syntax = \"proto3\";\nimport \"m/msg.proto\";\nservice Api { rpc Do(m.Msg) returns (m.Msg); }\n",
			},
			args:   []string{"api/api.proto"},
			want:   []string{"api/api.pb.go", "api/api_yodel.pb.go"},
			stderr: "api/api.proto has no go_package",
		},
		{
			name:  "no module: beside the file",
			files: map[string]string{"p/api.proto": service("example.com/any/thing")},
			args:  []string{"p/api.proto"},
			want:  []string{"p/api.pb.go", "p/api_yodel.pb.go"},
		},
		{
			name:  "--out",
			files: map[string]string{"go.mod": goMod, "p/api.proto": service("example.org/any")},
			args:  []string{"--out", "gen", "p/api.proto"},
			want:  []string{"gen/p/api.pb.go", "gen/p/api_yodel.pb.go"},
		},
		{
			name:  "--opt paths=import with --out",
			files: map[string]string{"p/api.proto": service("example.org/any")},
			args:  []string{"--out=gen", "--opt=paths=import", "p/api.proto"},
			want:  []string{"gen/example.org/any/api.pb.go", "gen/example.org/any/api_yodel.pb.go"},
		},
		{
			name:  "--opt module=, M and service_name= in one",
			files: map[string]string{"p/api.proto": service("example.org/any")},
			args:  []string{"--opt=module=example.org/x,Mp/api.proto=example.org/x/y", "--opt", "service_name=Api=real.Api", "p/api.proto"},
			want:  []string{"y/api.pb.go", "y/api_yodel.pb.go"},
		},
		{
			name:  "--package-suffix",
			files: map[string]string{"go.mod": goMod, "p/api.proto": service("example.com/app/api")},
			args:  []string{"--package-suffix", "yodel", "p/api.proto"},
			want:  []string{"api/api.pb.go", "api/apiyodel/api_yodel.pb.go"},
		},
		{
			name:  "a warning",
			files: map[string]string{"go.mod": goMod, "p/api.proto": strings.Replace(service("example.com/app/p"), "option", "import \"google/protobuf/any.proto\";\noption", 1)},
			args:  []string{"p/api.proto"},
			want:  []string{"p/api.pb.go", "p/api_yodel.pb.go"},
			stderr: "p/api.proto:2:1: warning: import \"google/protobuf/any.proto\" not used\n" +
				"    import \"google/protobuf/any.proto\";\n    ^\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSandbox(t, tc.files)
			before := s.files()
			args := append([]string{"generate"}, tc.args...)
			checkArgs := append([]string{"generate", "--check"}, tc.args...)

			if code, _, stderr := s.yodel(tc.cd, checkArgs...); code != 1 || !strings.Contains(stderr, "is missing") {
				t.Errorf("--check before: exit status %d, %s", code, stderr)
			}
			if !slices.Equal(s.files(), before) {
				t.Errorf("--check changed files: %q", s.files())
			}
			code, stdout, stderr := s.yodel(tc.cd, args...)
			if code != 0 {
				t.Fatalf("exit status %d: %s", code, stderr)
			}
			if want := cmpOr(tc.stdout, strings.Join(tc.want, "\n")+"\n"); stdout != want {
				t.Errorf("standard output:\n%s\nwant:\n%s", stdout, want)
			}
			if tc.stderr == "" && stderr != "" || !strings.Contains(stderr, tc.stderr) {
				t.Errorf("standard error: %s\nwant: %s", stderr, tc.stderr)
			}
			after := slices.DeleteFunc(s.files(), func(f string) bool { return slices.Contains(before, f) })
			if !slices.Equal(after, tc.want) {
				t.Errorf("wrote %q, want %q", after, tc.want)
			}
			if code, _, stderr := s.yodel(tc.cd, checkArgs...); code != 0 {
				t.Errorf("--check after: exit status %d, %s", code, stderr)
			}
			if code, stdout, _ := s.yodel(tc.cd, args...); code != 0 || stdout != "" {
				t.Errorf("the second run: exit status %d, wrote %s", code, stdout)
			}
		})
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// What a run that fails prints. It must write nothing, also not what would
// have been fine.
func TestGenerateFails(t *testing.T) {
	good := service("example.com/app/good")
	for _, tc := range []struct {
		name   string
		files  map[string]string
		args   []string
		code   int
		stderr []string // parts of it
	}{
		{
			name:  "syntax error",
			files: map[string]string{"go.mod": goMod, "good.proto": good, "p/bad.proto": "syntax = \"proto3\";\n\nmessage M {\n\tstring s = ;\n}\n"},
			args:  []string{"good.proto", "p/bad.proto"},
			code:  1,
			stderr: []string{
				"p/bad.proto:4:13: syntax error: unexpected ';'",
				"\n    \tstring s = ;\n    \t           ^\n",
			},
		},
		{
			name: "several errors, in order, in two files",
			files: map[string]string{
				"a.proto": "syntax = \"proto3\";\noption go_package = \"x/y\";\nmessage A {\n  Missing m = 1;\n  Lacking l = 2;\n}\n",
				"b.proto": "syntax = \"proto3\";\noption go_package = \"x/y\";\nmessage B { string s = 1; /* \u00e9 */ int32 s = 2; }\n",
			},
			args: []string{"b.proto", "a.proto"},
			code: 1,
			stderr: []string{
				"a.proto:4:3: field A.m: unknown type Missing\n      Missing m = 1;\n      ^\n" +
					"a.proto:5:3: field A.l: unknown type Lacking\n      Lacking l = 2;\n      ^\n",
				"b.proto:3:41: symbol \"B.s\" already defined",
			},
		},
		{
			name: "several syntax errors, in two files",
			files: map[string]string{
				"a.proto": "syntax = \"proto3\";\nmessage A {\n  int32 = 1;\n  int32 b 2;\n}\n",
				"b.proto": "syntax = \"proto3\";\nmessage B { string \u00e9 = 1; }\n",
			},
			args: []string{"b.proto", "a.proto"},
			code: 1,
			stderr: []string{
				"a.proto:3:9: syntax error: unexpected '='",
				"a.proto:4:11: syntax error: expecting ';'",
				"b.proto:2:20: invalid character\n    message B { string \u00e9 = 1; }\n                       ^\n",
			},
		},
		{
			name: "import not found",
			files: map[string]string{
				"go.mod": goMod, "p/a.proto": "syntax = \"proto3\";\nimport \"x/missing.proto\";\nimport \"../p/a.proto\";\nimport \"b.proto\";\nmessage M { Cascade c = 1; }\n",
				"q/b.proto": "syntax = \"proto3\";\nimport \"y.proto\";\nmessage { }\n",
			},
			args: []string{"-I", "p", "-I", "q", "p/a.proto"},
			code: 1,
			stderr: []string{
				"p/a.proto:2:8: import \"x/missing.proto\" not found; searched p, q; -I adds a folder\n" +
					"    import \"x/missing.proto\";\n           ^\n" +
					"p/a.proto:3:8: import \"../p/a.proto\" not found; searched p, q; -I adds a folder\n" +
					"    import \"../p/a.proto\";\n           ^\n" +
					"q/b.proto:2:8: import \"y.proto\" not found; searched p, q; -I adds a folder\n" +
					"    import \"y.proto\";\n           ^\n" +
					"q/b.proto:3:9: syntax error: unexpected '{'\n",
			},
		},
		{
			name:   "import cycle",
			files:  map[string]string{"go.mod": goMod, "a.proto": "syntax = \"proto3\";\nimport \"b.proto\";\n", "b.proto": "syntax = \"proto3\";\nimport \"a.proto\";\n"},
			args:   []string{"a.proto"},
			code:   1,
			stderr: []string{".proto:2:8: cycle found in imports"},
		},
		{
			name:   "no go_package and no module",
			files:  map[string]string{"api.proto": service("")},
			args:   []string{"api.proto"},
			code:   1,
			stderr: []string{"api.proto: no go_package, and no go.mod from which to derive it; add for example: option go_package ="},
		},
		{
			name:   "no go_package in a folder that cannot be a package",
			files:  map[string]string{"go.mod": goMod, "my protos/api.proto": service("")},
			args:   []string{"my protos/api.proto"},
			code:   1,
			stderr: []string{"my protos/api.proto: no go_package, and none can be derived: the folder my protos cannot be a Go package"},
		},
		{
			name:   "no go_package in the root of a module without a dot or slash",
			files:  map[string]string{"go.mod": "module hello\n", "api.proto": service("")},
			args:   []string{"api.proto"},
			code:   1,
			stderr: []string{"api.proto: no go_package, and none can be derived: the import path \"hello\" has neither"},
		},
		{
			name:   "go_package is a name",
			files:  map[string]string{"go.mod": goMod, "api.proto": service("apipb")},
			args:   []string{"api.proto"},
			code:   1,
			stderr: []string{"api.proto:2:1: go_package \"apipb\" is no Go import path", "\n    option go_package = \"apipb\";\n    ^\n"},
		},
		{
			name:  "go_package outside of the module",
			files: map[string]string{"go.mod": goMod, "good.proto": good, "m.proto": message("example.org/other")},
			args:  []string{"good.proto", "m.proto"},
			code:  1,
			stderr: []string{
				"m.proto:3:1: go_package \"example.org/other\" is outside of the Go module example.com/app in .;",
				"--opt paths=source_relative",
			},
		},
		{
			name:   "go_package leads out of the output folder",
			files:  map[string]string{"p/m.proto": message("../../../outside/x")},
			args:   []string{"--opt", "paths=import", "p/m.proto"},
			code:   1,
			stderr: []string{"would leave the output folder"},
		},
		{
			name:   "go_package leads out of the module",
			files:  map[string]string{"go.mod": goMod, "p/m.proto": message("example.com/app/../../x")},
			args:   []string{"p/m.proto"},
			code:   1,
			stderr: []string{"p/m.proto:3:1: go_package", "is outside of the Go module"},
		},
		{
			name:   "two files of one name in one package",
			files:  map[string]string{"go.mod": goMod, "a/m.proto": message("example.com/app/p"), "b/m.proto": strings.ReplaceAll(message("example.com/app/p"), "Msg", "Other")},
			args:   []string{"a", "b"},
			code:   1,
			stderr: []string{"two .proto files would both be generated as example.com/app/p/m.pb.go"},
		},
		{
			name:   "inconsistent package names",
			files:  map[string]string{"go.mod": goMod, "a.proto": message("example.com/app/p;one"), "b.proto": strings.ReplaceAll(message("example.com/app/p;two"), "Msg", "Other")},
			args:   []string{"a.proto", "b.proto"},
			code:   1,
			stderr: []string{"inconsistent names"},
		},
		{
			name:   "file outside of the import paths",
			files:  map[string]string{"go.mod": goMod, "p/a.proto": good, "q/b.proto": good},
			args:   []string{"-I", "p", "q/b.proto"},
			code:   1,
			stderr: []string{"q/b.proto is in none of the folders for imports (p); add -I"},
		},
		{
			name:   "file hidden by another",
			files:  map[string]string{"go.mod": goMod, "p/a.proto": good, "q/a.proto": good},
			args:   []string{"-I", "p", "-I", "q", "q/a.proto"},
			code:   1,
			stderr: []string{"q/a.proto: its name would be \"a.proto\", but p/a.proto comes first"},
		},
		{
			name:   "no such file",
			files:  map[string]string{"go.mod": goMod},
			args:   []string{"api.proto"},
			code:   1,
			stderr: []string{"api.proto: no such file"},
		},
		{
			name:   "folder without protos",
			files:  map[string]string{"go.mod": goMod, "p/x": ""},
			args:   []string{"p"},
			code:   1,
			stderr: []string{"no .proto files in p"},
		},
		{
			name:   "service_name of no service",
			files:  map[string]string{"go.mod": goMod, "good.proto": good},
			args:   []string{"--opt", "service_name=Appi=x.Api", "good.proto"},
			code:   1,
			stderr: []string{"these files have no service Appi"},
		},
		{
			name:   "unknown option",
			files:  map[string]string{"go.mod": goMod, "good.proto": good},
			args:   []string{"--opt", "path=import", "good.proto"},
			code:   1,
			stderr: []string{`unknown option "path"`},
		},
		{
			name:   "edition that the compiler does not know",
			files:  map[string]string{"go.mod": goMod, "new.proto": "edition = \"2024\";\noption go_package = \"example.com/app/p\";\n"},
			args:   []string{"new.proto"},
			code:   1,
			stderr: []string{"new.proto:1:11: ", "2024"},
		},
		{
			name:   "go.mod without a module",
			files:  map[string]string{"go.mod": "go 1.26.0\n", "good.proto": good},
			args:   []string{"good.proto"},
			code:   1,
			stderr: []string{"go.mod has no module line"},
		},
		{name: "bad suffix", args: []string{"--package-suffix", "a/b"}, code: 2, stderr: []string{"package_suffix", "--help"}},
		{name: "unknown flag", args: []string{"--chekc"}, code: 2, stderr: []string{"unknown flag: --chekc", "Run 'yodel generate --help'"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSandbox(t, tc.files)
			before := s.files()
			code, stdout, stderr := s.yodel("", append([]string{"generate"}, tc.args...)...)
			if code != tc.code {
				t.Errorf("exit status %d, want %d", code, tc.code)
			}
			for _, part := range tc.stderr {
				if !strings.Contains(stderr, part) {
					t.Errorf("standard error lacks %q:\n%s", part, stderr)
				}
			}
			if stdout != "" {
				t.Errorf("standard output: %s", stdout)
			}
			if after := s.files(); !slices.Equal(after, before) {
				t.Errorf("a run that failed left %q", after)
			}
		})
	}
}

// --check tells stale, missing and leftover files, and what is current.
func TestCheck(t *testing.T) {
	s := newSandbox(t, map[string]string{"go.mod": goMod, "p/api.proto": service("example.com/app/p")})
	if code, _, stderr := s.yodel("", "generate", "p"); code != 0 {
		t.Fatal(stderr)
	}
	check := func(wantCode int, want ...string) {
		t.Helper()
		code, stdout, stderr := s.yodel("", "generate", "--check", "p")
		if code != wantCode || stdout != "" || strings.Count(stderr, "\n") != len(want) {
			t.Errorf("exit status %d, want %d; %s%s", code, wantCode, stdout, stderr)
		}
		for _, part := range want {
			if !strings.Contains(stderr, part) {
				t.Errorf("lacks %q: %s", part, stderr)
			}
		}
	}
	check(0)
	s.write("p/api_yodel.pb.go", s.read("p/api_yodel.pb.go")+"\n")
	check(1, "p/api_yodel.pb.go is stale")
	if err := os.Remove(filepath.Join(s.dir, "p/api.pb.go")); err != nil {
		t.Fatal(err)
	}
	check(1, "p/api_yodel.pb.go is stale", "p/api.pb.go is missing")

	// The service goes away; its stubs would not compile any more.
	s.write("p/api.proto", "syntax = \"proto3\";\noption go_package = \"example.com/app/p\";\nmessage Req {}\n")
	code, stdout, stderr := s.yodel("", "generate", "p")
	if code != 0 || stdout != "p/api.pb.go\n" || !strings.Contains(stderr, "p/api_yodel.pb.go is left") {
		t.Errorf("exit status %d, %s%s", code, stdout, stderr)
	}
	check(1, "p/api_yodel.pb.go is left over")
	// A file of that name that is not ours is none of our business.
	s.write("p/api_yodel.pb.go", "package p\n")
	check(0)
}

// A file that does not change is not written, and one that does keeps its
// permissions.
func TestUnchangedFilesAreLeftAlone(t *testing.T) {
	s := newSandbox(t, map[string]string{"go.mod": goMod, "p/api.proto": service("example.com/app/p"), "p/m.proto": message("example.com/app/p")})
	if code, _, stderr := s.yodel("", "generate", "p"); code != 0 {
		t.Fatal(stderr)
	}
	long := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"p/m.pb.go", "p/api.pb.go", "p/api_yodel.pb.go"} {
		path := filepath.Join(s.dir, name)
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.write("p/m.proto", strings.Replace(message("example.com/app/p"), "string s", "bytes s", 1))
	if _, stdout, stderr := s.yodel("", "generate", "p"); stdout != "p/m.pb.go\n" {
		t.Errorf("wrote %s%s", stdout, stderr)
	}
	for name, wantOld := range map[string]bool{"p/m.pb.go": false, "p/api.pb.go": true, "p/api_yodel.pb.go": true} {
		info, err := os.Stat(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.ModTime().Equal(long) != wantOld {
			t.Errorf("%s: modified %v", name, info.ModTime())
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: permissions %v", name, info.Mode())
		}
	}
}

// When one file cannot be written, no other is.
func TestNothingIsWrittenByHalves(t *testing.T) {
	s := newSandbox(t, map[string]string{
		"go.mod": goMod, "p/a.proto": message("example.com/app/a"), "p/b.proto": strings.ReplaceAll(message("example.com/app/b"), "Msg", "Other"),
		"b": "a file where a folder must be",
	})
	before := s.files()
	code, stdout, stderr := s.yodel("", "generate", "p")
	if code != 1 || stdout != "" || !strings.Contains(stderr, "b") {
		t.Errorf("exit status %d, %s%s", code, stdout, stderr)
	}
	if after := s.files(); !slices.Equal(after, before) {
		t.Errorf("left %q", after)
	}
}

// The derived package takes the name of the Go files that are there; without
// any, a folder v1 is called after the one above it.
func TestDerivedPackageName(t *testing.T) {
	for _, tc := range []struct{ name, file, content, want string }{
		{"folder", "x.txt", "", "package app\n"},
		{"files", "x.go", "package apiv1\n", "package apiv1\n"},
		{"test files", "x_test.go", "package api_test\n", "package app\n"},
	} {
		s := newSandbox(t, map[string]string{"go.mod": goMod, "v1/api.proto": service(""), "v1/" + tc.file: tc.content})
		code, _, stderr := s.yodel("", "generate", "v1")
		if got := s.read("v1/api_yodel.pb.go"); code != 0 || !strings.Contains(got, "\n"+tc.want) {
			t.Errorf("%s: exit status %d, %s; want %s", tc.name, code, stderr, tc.want)
		}
	}
}

func TestVersion(t *testing.T) {
	s := newSandbox(t, nil)
	code, stdout, _ := s.yodel("", "version")
	if code != 0 || !strings.HasPrefix(stdout, "yodel v") {
		t.Errorf("exit status %d, %q", code, stdout)
	}
	code, stdout, _ = s.yodel("", "version", "--json")
	var v map[string]any
	if err := json.Unmarshal([]byte(stdout), &v); code != 0 || err != nil || v["version"] == "" || v["protobuf"] != "v1.36.12" {
		t.Errorf("exit status %d, %q, %v", code, stdout, err)
	}
}

func TestUsage(t *testing.T) {
	s := newSandbox(t, nil)
	for _, tc := range []struct {
		args   []string
		code   int
		output string // a part of it
	}{
		{nil, 0, "generate"},
		{[]string{"--help"}, 0, "generate"},
		{[]string{"generate", "--help"}, 0, "--package-suffix"},
		{[]string{"generat"}, 2, "unknown command"},
		{[]string{"version", "x"}, 2, "unknown command"},
		{[]string{"--vers"}, 2, "unknown flag"},
	} {
		code, stdout, stderr := s.yodel("", tc.args...)
		if code != tc.code || !strings.Contains(stdout+stderr, tc.output) {
			t.Errorf("yodel %q: exit status %d, want %d; %s%s", tc.args, code, tc.code, stdout, stderr)
		}
	}
}
