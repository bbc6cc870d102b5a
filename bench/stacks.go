package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/yodelrpc/yodel/bench/measure"
)

// file is where a stack is.
type file struct {
	name string
	// foreign tells that the stack is in another language: a script builds it,
	// which not every machine can, and names its version in a file beside it.
	foreign bool
	warmUp  time.Duration
}

// files are the programs of all stacks.
var files = map[string]file{
	ours:            {name: "bench-yodel"},
	noSpin:          {name: "bench-yodel"},
	theirs:          {name: "bench-grpcgo"},
	"connect":       {name: "bench-connect"},
	"connect-plain": {name: "bench-connect"},
	"drpc":          {name: "bench-drpc"},
	"nethttp":       {name: "bench-nethttp"},
	"rawmux":        {name: "bench-raw"},
	"rawpp":         {name: "bench-raw"},
	cpp:             {name: "bench-cpp", foreign: true},
	tonic:           {name: "bench-rust", foreign: true},
	java:            {name: "bench-java", foreign: true, warmUp: javaWarmUp},
	javaDirect:      {name: "bench-java", foreign: true, warmUp: javaWarmUp},
}

// javaWarmUp is what two virtual machines on two processors take until most of
// what runs is compiled.
const javaWarmUp = 20 * time.Second

// programs returns the stacks whose program is in a folder.
func programs(folder string) map[string]measure.Program {
	found := map[string]measure.Program{}
	for stack, f := range files {
		path := filepath.Join(folder, f.name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		program := measure.Program{Path: path, WarmUp: f.warmUp}
		if f.foreign {
			version, err := os.ReadFile(path + ".version") //nolint:gosec // the user says where
			if err != nil {
				version = []byte("unknown version")
			}
			program.Version = strings.TrimSpace(string(version))
		}
		found[stack] = program
	}
	return found
}

// complete returns an error if a stack in Go is missing, which every machine can
// build.
func complete(programs map[string]measure.Program) error {
	for _, stack := range slices.Sorted(maps.Keys(files)) {
		if _, has := programs[stack]; !has && !files[stack].foreign {
			return fmt.Errorf("there is no %s for the stack %s: scripts/bench.sh builds it", files[stack].name, stack)
		}
	}
	return nil
}

// known returns the names that are stacks, or pairs of them.
func known(names []string, programs map[string]measure.Program) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		client, server := measure.Sides(name)
		_, hasClient := programs[client]
		_, hasServer := programs[server]
		return !hasClient || !hasServer
	})
}
