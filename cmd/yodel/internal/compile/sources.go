package compile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/ast"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
)

// sources are the .proto files of a compilation, once they are loaded. After
// that it is safe for concurrent use.
type sources struct {
	importPaths []string
	files       map[string]source // by name
}

// source is one parsed .proto file.
type source struct {
	disk string // its path on disk
	text []byte
	ast  *ast.FileNode
}

// notFoundError is an import that is in none of the import paths.
type notFoundError struct {
	name     string
	searched []string
}

func (e *notFoundError) Error() string {
	return fmt.Sprintf("import %q not found; searched %s; -I adds a folder", e.name, strings.Join(e.searched, ", "))
}

// load parses the files called names and all that they import. It reports
// syntax errors and imports that are not there; the compiler would stop at the
// first of these. An error is about reading files.
func (s *sources) load(names []string, report *diagnostics) error {
	builtin := protocompile.WithStandardImports(s)
	handler := reporter.NewHandler(reporter.NewReporter(report.error, report.warning))
	for queue := slices.Clone(names); len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		if _, ok := s.files[name]; ok {
			continue
		}
		file, err := s.parse(name, handler)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			imported, ok := decl.(*ast.ImportNode)
			if !ok || imported.Name == nil {
				continue
			}
			importName := imported.Name.AsString()
			_, err := s.find(importName)
			if err == nil {
				queue = append(queue, importName)
				continue
			}
			if _, missing := errors.AsType[*notFoundError](err); !missing {
				return err
			}
			if _, unknown := builtin.FindFileByPath(importName); unknown != nil {
				_ = report.error(reporter.Error(file.NodeInfo(imported.Name), err)) // it never stops the compiler
			}
		}
	}
	return nil
}

// parse reads and parses the file called name, and keeps it.
func (s *sources) parse(name string, handler *reporter.Handler) (*ast.FileNode, error) {
	disk, err := s.find(name)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(disk) //nolint:gosec // reading the files that the user names is the purpose
	if err != nil {
		return nil, err
	}
	s.files[name] = source{disk: disk, text: text}
	file, err := parser.Parse(name, bytes.NewReader(text), handler)
	if file == nil {
		return nil, fmt.Errorf("parse %s: %w", disk, err)
	}
	// Its errors have been reported.
	s.files[name] = source{disk: disk, text: text, ast: file}
	return file, nil
}

// FindFileByPath returns the loaded file called name, for the compiler.
func (s *sources) FindFileByPath(name string) (protocompile.SearchResult, error) {
	f, ok := s.files[name]
	if !ok {
		return protocompile.SearchResult{}, &notFoundError{name: name, searched: s.importPaths}
	}
	return protocompile.SearchResult{AST: f.ast}, nil
}

// find returns the path on disk of the file called name. A name that leads out
// of the import paths is not found: protoc allows none either.
func (s *sources) find(name string) (string, error) {
	local := filepath.FromSlash(name)
	if filepath.IsLocal(local) {
		for _, dir := range s.importPaths {
			disk := filepath.Join(dir, local)
			info, err := os.Stat(disk)
			switch {
			case err == nil && !info.IsDir():
				return disk, nil
			case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
				return "", err
			}
		}
	}
	return "", &notFoundError{name: name, searched: s.importPaths}
}

// names returns the names that imports would use for the given paths on disk,
// each once, in order.
func (s *sources) names(files []string) ([]string, error) {
	var names []string
	seen := make(map[string]bool)
	for _, file := range files {
		name, err := s.name(file)
		if err != nil {
			return nil, err
		}
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, nil
}

func (s *sources) name(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	for _, dir := range s.importPaths {
		absDir, err := filepath.Abs(dir)
		if err != nil {
			return "", err
		}
		rel, err := filepath.Rel(absDir, abs)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		name := filepath.ToSlash(rel)
		found, err := s.find(name)
		if err != nil {
			return "", err
		}
		if other, err := os.Stat(found); err != nil || !os.SameFile(info, other) {
			return "", fmt.Errorf("%s: its name would be %q, but %s comes first under this name; "+
				"give the -I flags in another order", file, name, found)
		}
		return name, nil
	}
	return "", fmt.Errorf("%s is in none of the folders for imports (%s); "+
		"add -I with the folder that its name should be relative to, for example -I %s",
		file, strings.Join(s.importPaths, ", "), filepath.Dir(file))
}
