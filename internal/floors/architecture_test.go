package floors

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// architecture is the house's plan.
const architecture = "docs/architecture.md"

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	fileSpan = regexp.MustCompile(`^[\w./-]+\.go$`)
	nameSpan = regexp.MustCompile(`^([\w./-]+\.go): ([\w.]+)$`)
)

// place is something that is declared in a file. A method's name is
// "Type.Method".
type place struct{ file, name string }

// planned returns the files and places that the plan names.
func planned(text string) (files map[string]bool, places map[place]bool) {
	files, places = map[string]bool{}, map[place]bool{}
	for _, span := range codeSpan.FindAllStringSubmatch(text, -1) {
		if m := nameSpan.FindStringSubmatch(span[1]); m != nil {
			files[m[1]] = true
			places[place{m[1], m[2]}] = true
		} else if fileSpan.MatchString(span[1]) {
			files[span[1]] = true
		}
	}
	return files, places
}

func readPlan(t *testing.T) (root, text string) {
	t.Helper()
	root = repositoryRoot(t)
	b, err := os.ReadFile(filepath.Join(root, architecture))
	if err != nil {
		t.Fatal(err)
	}
	return root, string(b)
}

func parseFile(t *testing.T, root, file string) *ast.File {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, filepath.FromSlash(file)), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Errorf("%s names %s: %v", architecture, file, err)
		return nil
	}
	return parsed
}

// declared returns the names of what a file declares.
func declared(f *ast.File) map[string]bool {
	names := map[string]bool{}
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			names[functionName(d)] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					names[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, name := range s.Names {
						names[name.Name] = true
					}
				}
			}
		}
	}
	return names
}

func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	receiver := f.Recv.List[0].Type
	for {
		switch r := receiver.(type) {
		case *ast.StarExpr:
			receiver = r.X
		case *ast.IndexExpr:
			receiver = r.X
		case *ast.IndexListExpr:
			receiver = r.X
		case *ast.Ident:
			return r.Name + "." + f.Name.Name
		default:
			return f.Name.Name
		}
	}
}

// TestPlanNamesWhatExists fails when the plan names a file, a function or a type
// that is not there any more.
func TestPlanNamesWhatExists(t *testing.T) {
	root, text := readPlan(t)
	files, places := planned(text)
	if len(places) < 50 {
		t.Fatalf("%s names %d places: the test does not find them", architecture, len(places))
	}
	names := map[string]map[string]bool{}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if parsed := parseFile(t, root, file); parsed != nil {
			names[file] = declared(parsed)
		}
	}
	for p := range places {
		if known := names[p.file]; known != nil && !known[p.name] {
			t.Errorf("%s says `%s: %s`, but the file declares no %s", architecture, p.file, p.name, p.name)
		}
	}
}

// TestPlanHasEveryPackage fails when a package of the table of floors has no
// place in the plan's.
func TestPlanHasEveryPackage(t *testing.T) {
	_, text := readPlan(t)
	for _, dir := range slices.Sorted(maps.Keys(floorOf)) {
		if !strings.Contains(text, "`"+dir+"`") {
			t.Errorf("%s does not name the package `%s`", architecture, dir)
		}
	}
}

// TestPlanHasEveryGoroutineAndLock fails when code of the library starts a
// goroutine or a timer, or has a lock, in a place that the plan does not name.
func TestPlanHasEveryGoroutineAndLock(t *testing.T) {
	root, text := readPlan(t)
	_, places := planned(text)
	module := rootModule(t, readModules(t))
	starts, locks := 0, 0
	for _, dir := range slices.Sorted(maps.Keys(module.packages)) {
		if floorOf[dir] >= programs {
			continue
		}
		for _, file := range module.packages[dir].files {
			if file.test || file.generated {
				continue
			}
			parsed := parseFile(t, root, file.path)
			if parsed == nil {
				continue
			}
			for _, name := range startsGoroutine(parsed) {
				starts++
				if !places[place{file.path, name}] {
					t.Errorf("%s starts a goroutine or a timer in %s: say so in %s", file.path, name, architecture)
				}
			}
			for _, name := range hasLock(parsed) {
				locks++
				if !places[place{file.path, name}] {
					t.Errorf("%s has a lock in %s: say what it guards in %s", file.path, name, architecture)
				}
			}
		}
	}
	if starts < 10 || locks < 10 {
		t.Fatalf("found %d starts of goroutines and %d locks: the test does not see them", starts, locks)
	}
}

// startsGoroutine returns the functions of a file that contain a go statement,
// or call a Go or AfterFunc of another package or type.
func startsGoroutine(f *ast.File) []string {
	var names []string
	for _, decl := range f.Decls {
		d, ok := decl.(*ast.FuncDecl)
		if !ok || d.Body == nil {
			continue
		}
		found := false
		ast.Inspect(d.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				found = true
			case *ast.CallExpr:
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && (s.Sel.Name == "Go" || s.Sel.Name == "AfterFunc") {
					found = true
				}
			}
			return !found
		})
		if found {
			names = append(names, functionName(d))
		}
	}
	return names
}

// hasLock returns the types of a file that have a mutex.
func hasLock(f *ast.File) []string {
	var names []string
	for _, decl := range f.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range d.Specs {
			s, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			fields, ok := s.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, field := range fields.Fields.List {
				if sel, ok := field.Type.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Mutex" || sel.Sel.Name == "RWMutex") {
					names = append(names, s.Name.Name)
				}
			}
		}
	}
	return names
}
