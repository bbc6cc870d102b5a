// Command peers checks this repository's client and server against programs of
// other implementations, over plaintext and TLS. It prints one line a check,
// and at the end how many passed and failed.
//
//	peers -dir FOLDER NAME...
//
// The folder has a program, or a link to it, for each name. What the programs
// do is described in interop/internal/peer. scripts/interop-peers.sh builds
// them and runs this.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/yodelrpc/yodel/interop/internal/peer"
	"github.com/yodelrpc/yodel/interop/internal/testcert"
)

// known has what is special about a peer.
var known = map[string]peer.Program{
	// grpc-js: "response compression is currently not supported" (1.14).
	"node": {NoResponseCompression: true},
}

func main() {
	dir := flag.String("dir", ".tmp/peers/bin", "folder of the peers' programs")
	timeout := flag.Duration("timeout", 10*time.Minute, "how long all may take")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	r := peer.Report{Out: os.Stdout}
	err := run(ctx, *dir, flag.Args(), &r)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop-peers:", err)
	}
	fmt.Printf("%d passed, %d failed\n", r.Passed, r.Failed)
	if err != nil || r.Failed > 0 || r.Passed == 0 {
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, names []string, r *peer.Report) error {
	if len(names) == 0 {
		return errors.New("name the peers to check")
	}
	certDir, err := os.MkdirTemp("", "yodel-interop-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(certDir)
	certs, err := testcert.New(certDir)
	if err != nil {
		return fmt.Errorf("making certificates: %w", err)
	}
	tls, err := peer.TLS(certs)
	if err != nil {
		return err
	}
	for _, name := range names {
		program := known[name]
		program.Name = name
		if program.Path, err = filepath.Abs(filepath.Join(dir, name)); err != nil {
			return err
		}
		for _, s := range []peer.Security{peer.Plain(), tls} {
			program.CheckClient(ctx, s, r)
			program.CheckServer(ctx, s, r)
		}
	}
	return nil
}
