package main

import (
	"fmt"
	"slices"

	"github.com/yodelrpc/yodel/bench/measure"
	"github.com/yodelrpc/yodel/bench/stack"
	"github.com/yodelrpc/yodel/bench/stack/connectgo"
	"github.com/yodelrpc/yodel/bench/stack/drpcgo"
	"github.com/yodelrpc/yodel/bench/stack/grpcgo"
	"github.com/yodelrpc/yodel/bench/stack/nethttp"
	"github.com/yodelrpc/yodel/bench/stack/raw"
	"github.com/yodelrpc/yodel/bench/stack/yodelgo"
)

// stacks returns all of them.
func stacks() []stack.Stack {
	return []stack.Stack{
		yodelgo.Stack{Label: ours},
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

// known returns the names that are stacks, or pairs of them. programs are those
// of stacks that are not in this binary.
func known(names []string, programs map[string]string) []string {
	have := func(name string) bool {
		_, err := findStack(name)
		return err == nil || programs[name] != ""
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		client, server := measure.Sides(name)
		return !have(client) || !have(server)
	})
}
