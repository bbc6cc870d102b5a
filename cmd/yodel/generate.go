package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/yodelrpc/yodel/cmd/yodel/internal/compile"
	"github.com/yodelrpc/yodel/cmd/yodel/internal/emit"
	"github.com/yodelrpc/yodel/cmd/yodel/internal/output"
	"github.com/yodelrpc/yodel/generator"
)

const generateHelp = `Generate compiles .proto files, without protoc, and writes for each x.proto
x.pb.go, the same as protoc-gen-go's, and x_yodel.pb.go, if it has services.

A folder stands for the .proto files in it and below; without arguments, the
current folder is meant.

Files go into the folder that go_package names in the Go module around the
.proto file; outside of any module, they go beside it. A missing go_package is
derived from go.mod and the folder.

Nothing is written if there is an error, and files that would not change are
left alone. The paths of written files go to standard output.`

const generateExample = `  yodel generate protos/api.proto
  yodel generate -I protos -I third_party protos
  yodel generate --check .
  yodel generate --out gen --opt paths=import api.proto
  yodel generate --opt service_name=acme.health.Health=grpc.health.v1.Health health.proto`

// generateFlags are the flags of yodel generate.
type generateFlags struct {
	importPaths   []string
	out           string
	opts          []string
	packageSuffix string
	check         bool
}

func newGenerateCommand() *cobra.Command {
	var flags generateFlags
	cmd := &cobra.Command{
		Use:     "generate [FILE.proto or FOLDER]...",
		Short:   "Generate Go messages and stubs from .proto files",
		Long:    generateHelp,
		Example: generateExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			g := generateRun{generateFlags: flags, args: args, stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr()}
			return g.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&flags.importPaths, "proto-path", "I", nil,
		"a `folder` with .proto files, relative to which they are named (repeatable; default: the current one)")
	f.StringVar(&flags.out, "out", "", "write below this `folder`, in the shape of the .proto files' tree")
	f.StringArrayVar(&flags.opts, "opt", nil,
		"an `option` as protoc-gen-go and protoc-gen-go-yodel take it: paths=, module=, M<file>=, service_name=... (repeatable)")
	f.StringVar(&flags.packageSuffix, "package-suffix", "", "write stubs into packages of their own, whose names end in this `suffix`")
	f.BoolVar(&flags.check, "check", false, "write nothing; exit with status 1 if a file on disk is not what would be written")
	return cmd
}

// generateRun is one run of yodel generate.
type generateRun struct {
	generateFlags
	args           []string
	stdout, stderr io.Writer
}

func (g *generateRun) run(ctx context.Context) error {
	params, err := g.params()
	if err != nil {
		return err
	}
	protos, err := g.protos()
	if err != nil {
		return failure{err}
	}
	set, diagnostics, err := compile.Compile(ctx, g.importPaths, protos)
	if err := g.report(diagnostics); err != nil {
		return err
	}
	if err != nil {
		return failure{err}
	}
	layout, err := newLayout(set, g.out, params)
	if err != nil {
		return failure{err}
	}
	packages := goPackages{set: set, layout: layout, given: params}
	if err := packages.resolve(); err != nil {
		return failure{err}
	}
	if err := g.report(packages.errors); err != nil {
		return err
	}
	for _, note := range packages.notes {
		g.notef("%s", note)
	}
	result, err := emit.Generate(set, slices.Concat(layout.params, packages.params, params))
	if err != nil {
		return failure{err}
	}
	if err := checkServiceNames(set, result.Options); err != nil {
		return failure{err}
	}
	return g.finish(layout, result)
}

// params returns the generators' parameters from the command line.
func (g *generateRun) params() ([]string, error) {
	var params []string
	for _, opt := range g.opts {
		for p := range strings.SplitSeq(opt, ",") {
			if p != "" {
				params = append(params, p)
			}
		}
	}
	if g.packageSuffix != "" {
		var check generator.Options
		if err := check.Set("package_suffix", g.packageSuffix); err != nil {
			return nil, err
		}
		params = append(params, "package_suffix="+g.packageSuffix)
	}
	return params, nil
}

// protos returns the .proto files that the arguments stand for.
func (g *generateRun) protos() ([]string, error) {
	args := g.args
	if len(args) == 0 {
		args = []string{"."}
	}
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		found, err := protosBelow(arg)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("no .proto files in %s", arg)
		}
		files = append(files, found...)
	}
	return files, nil
}

// protosBelow returns the .proto files in dir and below, but for folders that
// hold other people's files or none that are meant: hidden ones, vendor and
// node_modules.
func protosBelow(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != dir && (strings.HasPrefix(name, ".") || name == "vendor" || name == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) == ".proto" {
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

// report prints diagnostics and returns errReported if there are errors among
// them.
func (g *generateRun) report(diagnostics []compile.Diagnostic) error {
	for _, d := range diagnostics {
		_, _ = fmt.Fprintln(g.stderr, d)
	}
	if compile.Failed(diagnostics) {
		return errReported
	}
	return nil
}

func (g *generateRun) notef(format string, args ...any) {
	_, _ = fmt.Fprintf(g.stderr, "yodel generate: "+format+"\n", args...)
}

// checkServiceNames returns an error if service_name names a service that is
// not there. A plugin cannot know: it may see only a part of the files.
func checkServiceNames(set *compile.Set, opts generator.Options) error {
	known := make(map[string]bool)
	for _, f := range set.Files {
		for _, s := range f.GetService() {
			name := s.GetName()
			if f.GetPackage() != "" {
				name = f.GetPackage() + "." + name
			}
			known[name] = true
		}
	}
	var unknown []string
	for name := range opts.ServiceNames {
		if !known[string(name)] {
			unknown = append(unknown, string(name))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return fmt.Errorf("option service_name: these files have no service %s", strings.Join(unknown, ", "))
}

// finish writes the result, or compares it with what is on disk.
func (g *generateRun) finish(l *layout, result *emit.Result) error {
	var files []output.File
	for _, f := range result.Files {
		path, err := l.path(f.Name)
		if err != nil {
			return failure{err}
		}
		files = append(files, output.File{Path: path, Content: f.Content})
	}
	leftovers := g.leftovers(l, result.NoStubs)
	if g.check {
		return g.compare(files, leftovers)
	}
	changed, err := output.Write(files)
	for _, path := range changed {
		_, printErr := fmt.Fprintln(g.stdout, path)
		err = cmp.Or(err, printErr)
	}
	if err != nil {
		return failure{err}
	}
	for _, path := range leftovers {
		g.notef("%s is left from when its .proto had services; delete it", path)
	}
	return nil
}

func (g *generateRun) compare(files []output.File, leftovers []string) error {
	stale, err := output.Stale(files)
	if err != nil {
		return failure{err}
	}
	stale = append(stale, leftovers...)
	for _, path := range stale {
		state := "is stale"
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			state = "is missing"
		} else if slices.Contains(leftovers, path) {
			state = "is left over: its .proto has no services"
		}
		g.notef("%s %s", path, state)
	}
	if len(stale) > 0 {
		return errReported
	}
	return nil
}

// leftovers returns the stubs on disk whose .proto files have no services now.
func (g *generateRun) leftovers(l *layout, names []string) []string {
	var found []string
	for _, name := range names {
		path, err := l.path(name)
		if err != nil {
			continue
		}
		text, err := os.ReadFile(path) //nolint:gosec // it is compared with what would be written there
		if err == nil && bytes.Contains(text, []byte("// Code generated by "+generator.PluginName+". DO NOT EDIT.")) {
			found = append(found, path)
		}
	}
	return found
}
