// Yodel is the command of the Yodel RPC framework.
//
//	yodel generate api.proto   writes api.pb.go and api_yodel.pb.go, without protoc
//	yodel version              prints what this is
//
// Its exit status is 0, 1 if what was asked for failed, or 2 if it did not
// understand what was asked for.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// failure is an error of a command that was understood; cobra's own errors are
// about the command line.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// errReported is a failure about which everything has been printed.
var errReported = failure{errors.New("failed")}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "yodel",
		Short:         "gRPC for Go: generate stubs",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newGenerateCommand(), newVersionCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)

	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errReported) {
		return exitFailed
	}
	_, _ = fmt.Fprintf(stderr, "%s: %v\n", cmd.CommandPath(), err)
	if errors.As(err, new(failure)) {
		return exitFailed
	}
	_, _ = fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", cmd.CommandPath())
	return exitUsage
}
