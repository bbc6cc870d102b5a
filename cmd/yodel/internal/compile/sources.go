package compile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/types/descriptorpb"
)

// sources finds .proto files in the import paths, and remembers where each was
// and what was in it. Its FindFileByPath is safe for concurrent use.
type sources struct {
	importPaths []string

	mu   sync.Mutex
	disk map[string]string // name to path on disk
	text map[string][]byte // name to content

	absent map[string]bool // names that stand for empty files; not changed while the compiler runs
}

// notFoundError is an import that is in none of the import paths.
type notFoundError struct {
	name     string
	searched []string
}

func (e *notFoundError) Error() string {
	return fmt.Sprintf("import %q not found; searched %s; -I adds a folder", e.name, strings.Join(e.searched, ", "))
}

func (e *notFoundError) Is(target error) bool { return target == fs.ErrNotExist }

// FindFileByPath reads the file called name, from the first import path that
// has it.
func (s *sources) FindFileByPath(name string) (protocompile.SearchResult, error) {
	if s.absent[name] {
		return protocompile.SearchResult{Proto: &descriptorpb.FileDescriptorProto{Name: &name}}, nil
	}
	disk, err := s.find(name)
	if err != nil {
		return protocompile.SearchResult{}, err
	}
	text, err := os.ReadFile(disk) //nolint:gosec // reading the files that the user names is the purpose
	if err != nil {
		return protocompile.SearchResult{}, err
	}
	s.mu.Lock()
	s.disk[name], s.text[name] = disk, text
	s.mu.Unlock()
	return protocompile.SearchResult{Source: bytes.NewReader(text)}, nil
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
			case err != nil && !errors.Is(err, fs.ErrNotExist) && !isNotDir(err):
				return "", err
			}
		}
	}
	return "", &notFoundError{name: name, searched: s.importPaths}
}

// isNotDir reports whether a path element that should be a folder is a file.
func isNotDir(err error) bool {
	var pathErr *fs.PathError
	return errors.As(err, &pathErr) && strings.Contains(pathErr.Err.Error(), "not a directory")
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
