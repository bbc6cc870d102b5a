package process

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/yodelrpc/yodel/bench/stack"
)

// Main is all of a program that has the given stacks. A program has those of one
// project only: what others link, and what that leaves in memory, is not its cost.
func Main(stacks ...stack.Stack) {
	if err := run(os.Args[1:], stacks, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, stacks []stack.Stack, in io.Reader, out io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("%s is started by the driver, with a role and what to be as JSON", os.Args[0])
	}
	var s Spec
	if err := json.Unmarshal([]byte(args[1]), &s); err != nil { //nolint:musttag // both ends are this package
		return fmt.Errorf("what to be is no JSON: %w", err)
	}
	i := slices.IndexFunc(stacks, func(st stack.Stack) bool { return st.Name() == s.Stack })
	if i < 0 {
		return fmt.Errorf("%s has no stack %q", os.Args[0], s.Stack)
	}
	switch role := Role(args[0]); role {
	case Server:
		return runServer(stacks[i], s, in, out)
	case Client:
		return runClient(stacks[i], s, in, out)
	case Both:
		return runBoth(stacks[i], s, in, out)
	default:
		return fmt.Errorf("there is no role %q", role)
	}
}
