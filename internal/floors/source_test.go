package floors

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is one Go module of the repository.
type module struct {
	dir      string // slash-separated, relative to the root; "." is the root
	packages map[string]*sourcePackage
}

// sourcePackage is one folder with Go files.
type sourcePackage struct {
	dir string // slash-separated, relative to the root
	// imports and testImports map an import path to a file that has it, over
	// all build constraints.
	imports, testImports map[string]string
	files                []sourceFile
}

type sourceFile struct {
	path      string
	generated bool
	test      bool
	lines     int
	functions []function
}

type function struct {
	name  string
	lines int
}

func repositoryRoot(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "LICENSE")); err != nil {
		t.Fatalf("these tests read the repository's files: %v", err)
	}
	return dir
}

// readModules parses every Go file of the repository.
func readModules(t *testing.T) []*module {
	t.Helper()
	root := repositoryRoot(t)
	byDir := map[string]*module{}
	owner := func(dir string) *module {
		for d := dir; ; d = path.Dir(d) {
			if m := byDir[d]; m != nil {
				return m
			}
			if d == "." {
				t.Fatalf("no go.mod above %s", dir)
			}
		}
	}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			name := entry.Name()
			if rel != "." && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil {
				byDir[rel] = &module{dir: rel, packages: map[string]*sourcePackage{}}
			}
			return nil
		}
		if strings.HasSuffix(rel, ".go") {
			return owner(path.Dir(rel)).addFile(file, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	modules := make([]*module, 0, len(byDir))
	for _, m := range byDir {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b *module) int { return strings.Compare(a.dir, b.dir) })
	return modules
}

func (m *module) addFile(file, rel string) error {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	dir := path.Dir(rel)
	p := m.packages[dir]
	if p == nil {
		p = &sourcePackage{dir: dir, imports: map[string]string{}, testImports: map[string]string{}}
		m.packages[dir] = p
	}
	source := sourceFile{
		path:      rel,
		generated: ast.IsGenerated(parsed),
		test:      strings.HasSuffix(rel, "_test.go"),
		lines:     files.Position(parsed.FileEnd).Line,
	}
	imports := p.imports
	if source.test {
		imports = p.testImports
	}
	for _, spec := range parsed.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		imports[name] = rel
	}
	for _, decl := range parsed.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok {
			source.functions = append(source.functions, function{
				name:  f.Name.Name,
				lines: files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1,
			})
		}
	}
	p.files = append(p.files, source)
	return nil
}

// within returns the folder of an import path of the root module or of one of
// its nested modules, and whether it is one.
func within(importPath string) (string, bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}
