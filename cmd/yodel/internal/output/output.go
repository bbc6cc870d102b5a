// Package output puts generated files on disk, or compares them with it.
package output

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file as it should be on disk.
type File struct {
	Path    string
	Content []byte
}

// Stale returns the paths of the files that are missing on disk or differ.
func Stale(files []File) ([]string, error) {
	var stale []string
	for _, f := range files {
		same, err := f.onDisk()
		if err != nil {
			return nil, err
		}
		if !same {
			stale = append(stale, f.Path)
		}
	}
	return stale, nil
}

// Write puts files on disk and returns the paths of those that changed; the
// others are not touched. Each file appears at once and whole, and none does
// before all of them have been written to the disk under other names.
func Write(files []File) (changed []string, err error) {
	type pending struct{ temp, path string }
	var todo []pending
	defer func() {
		for _, p := range todo {
			_ = os.Remove(p.temp) // what is left of them after an error
		}
	}()
	for _, f := range files {
		same, err := f.onDisk()
		if err != nil {
			return nil, err
		}
		if same {
			continue
		}
		temp, err := f.writeTemp()
		if temp != "" {
			todo = append(todo, pending{temp, f.Path})
		}
		if err != nil {
			return nil, err
		}
	}
	for len(todo) > 0 {
		if err := os.Rename(todo[0].temp, todo[0].path); err != nil {
			return changed, err
		}
		changed = append(changed, todo[0].path)
		todo = todo[1:]
	}
	return changed, nil
}

func (f File) onDisk() (bool, error) {
	old, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && bytes.Equal(old, f.Content), err
}

// writeTemp writes f beside its path, with the permissions of the file that it
// will replace. It returns the name of what it wrote, also with an error.
func (f File) writeTemp() (name string, err error) {
	dir := filepath.Dir(f.Path)
	if err := os.MkdirAll(dir, 0o777); err != nil { //nolint:gosec // source code; the umask decides
		return "", err
	}
	perm := fs.FileMode(0o644)
	if info, err := os.Stat(f.Path); err == nil {
		perm = info.Mode().Perm()
	}
	temp, err := os.CreateTemp(dir, "."+filepath.Base(f.Path)+".*")
	if err != nil {
		return "", err
	}
	_, err = temp.Write(f.Content)
	if err == nil {
		err = temp.Chmod(perm)
	}
	return temp.Name(), errors.Join(err, temp.Close())
}
