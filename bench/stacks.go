package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/yodelrpc/yodel/bench/measure"
	"github.com/yodelrpc/yodel/bench/stack"
	"github.com/yodelrpc/yodel/bench/stack/connectgo"
	"github.com/yodelrpc/yodel/bench/stack/drpcgo"
	"github.com/yodelrpc/yodel/bench/stack/grpcgo"
	"github.com/yodelrpc/yodel/bench/stack/nethttp"
	"github.com/yodelrpc/yodel/bench/stack/raw"
	"github.com/yodelrpc/yodel/bench/stack/yodelgo"
	"github.com/yodelrpc/yodel/transport/http2"
)

// stacks returns all of them.
func stacks() []stack.Stack {
	return []stack.Stack{
		yodelgo.Stack{Label: ours},
		yodelgo.Stack{Label: noSpin, Configure: func(cfg *http2.Config) { cfg.NoSpin = true }},
		grpcgo.Stack{},
		connectgo.Stack{Label: "connect"},
		connectgo.Stack{Label: "connect-plain", Plain: true},
		drpcgo.Stack{},
		nethttp.Stack{},
		raw.Mux{},
		raw.PingPong{},
	}
}

func findStack(name string) (stack.Stack, error) {
	all := stacks()
	i := slices.IndexFunc(all, func(s stack.Stack) bool { return s.Name() == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no stack %q", name)
	}
	return all[i], nil
}

// foreign are the stacks in other languages: programs that a script builds, which
// not every machine can.
var foreign = map[string]struct {
	program string
	warmUp  time.Duration
}{
	cpp:        {program: "bench-cpp"},
	tonic:      {program: "bench-rust"},
	java:       {program: "bench-java", warmUp: javaWarmUp},
	javaDirect: {program: "bench-java", warmUp: javaWarmUp},
}

// javaWarmUp is what two virtual machines on two processors take until most of
// what runs is compiled.
const javaWarmUp = 20 * time.Second

// programs returns the foreign stacks whose program is in a folder. Beside it is
// a file that ends in .version, and says what it was built from.
func programs(folder string) map[string]measure.Program {
	found := map[string]measure.Program{}
	for name, about := range foreign {
		path := filepath.Join(folder, about.program)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		version, err := os.ReadFile(path + ".version") //nolint:gosec // the user says where
		if err != nil {
			version = []byte("unknown version")
		}
		found[name] = measure.Program{Path: path, Version: strings.TrimSpace(string(version)), WarmUp: about.warmUp}
	}
	return found
}

// known returns the names that are stacks, or pairs of them. programs are the
// stacks that are not in this binary.
func known(names []string, programs map[string]measure.Program) []string {
	have := func(name string) bool {
		_, err := findStack(name)
		_, has := programs[name]
		return err == nil || has
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		client, server := measure.Sides(name)
		return !have(client) || !have(server)
	})
}
