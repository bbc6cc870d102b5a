package measure

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// standardHello is the hello client that links the standard library only.
const standardHello = "standard"

// Weigher builds hello clients. It needs the go command.
type Weigher struct {
	// Source is the folder of this module, and Folder a temporary one.
	Source, Folder string
}

// Weigh returns the size of a stack's hello client, stripped, and what it
// links.
func (w Weigher) Weigh(name string) (Sample, error) {
	size, file, err := w.build(name)
	if err != nil {
		return nil, err
	}
	standard, _, err := w.build(standardHello)
	if err != nil {
		return nil, err
	}
	packages, err := w.run("go", "list", "-deps", "./hello/"+name)
	if err != nil {
		return nil, err
	}
	build, err := w.run("go", "version", "-m", file)
	if err != nil {
		return nil, err
	}
	return Sample{
		BinarySize: size, BinaryGrowth: size - standard,
		// The client itself is no package that it links.
		Packages: float64(bytes.Count(packages, []byte("\n")) - 1),
		Modules:  float64(bytes.Count(build, []byte("\n\tdep\t"))),
	}, nil
}

func (w Weigher) build(name string) (size float64, file string, err error) {
	file = filepath.Join(w.Folder, "hello-"+name)
	if _, err := w.run("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, "./hello/"+name); err != nil {
		return 0, "", err
	}
	info, err := os.Stat(file)
	if err != nil {
		return 0, "", err
	}
	return float64(info.Size()), file, nil
}

func (w Weigher) run(command ...string) ([]byte, error) {
	cmd := exec.CommandContext(context.Background(), command[0], command[1:]...) //nolint:gosec // the commands are above
	cmd.Dir = w.Source
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w: %s", strings.Join(command, " "), w.Source, err, problem.String())
	}
	return out, nil
}
