package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/interop/echo"
	"github.com/yodelrpc/yodel/interop/internal/peer"
)

const wantHello = "resp: \"Hello Vikesh\"\n"

// child is a server program that has said where it listens.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	addr  string
}

// startChild runs a server whose first line of output has its port in place of
// the %d of format.
func startChild(ctx context.Context, format, name string, args ...string) (*child, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 10 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	var port int
	if err == nil {
		_, err = fmt.Sscanf(line, format, &port)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s printed %q: %w", name, line, err), cmd.Process.Kill(), cmd.Wait())
	}
	c.addr = fmt.Sprintf("127.0.0.1:%d", port)
	return c, nil
}

// stop ends a server by an interrupt and by the end of its input.
func (c *child) stop() error {
	return errors.Join(c.stdin.Close(), c.cmd.Wait())
}

// helloFromPython runs the article's client in Python against the hello
// example's server.
func (cfg config) helloFromPython(ctx context.Context) (err error) {
	server, err := startChild(ctx, "server stub started on port %d ...", cfg.helloServer, "-addr", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, server.cmd.Process.Signal(os.Interrupt), server.stop())
	}()
	return wantOutput(ctx, wantHello, cfg.python, cfg.script("hello_client.py"), server.addr)
}

// helloToPython runs the hello example's client against the article's server in
// Python.
func (cfg config) helloToPython(ctx context.Context) (err error) {
	server, err := startChild(ctx, "listening on %d", cfg.python, cfg.script("hello_server.py"), "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	return wantOutput(ctx, wantHello, cfg.helloClient, "-addr", server.addr)
}

func wantOutput(ctx context.Context, want, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	got, err := cmd.Output()
	if err != nil {
		return err
	}
	// Python prints the text form with an empty line after it.
	if strings.TrimRight(string(got), "\n") != strings.TrimRight(want, "\n") {
		return fmt.Errorf("it printed %q, not %q", got, want)
	}
	return nil
}

func (cfg config) script(name string) string { return filepath.Join(cfg.scripts, name) }

// pythonClientChecks lets Python's client check our server.
func (cfg config) pythonClientChecks(ctx context.Context, s peer.Security, r *peer.Report) (err error) {
	var config net.ListenConfig
	lis, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var impl echo.Server
	server := yodel.NewServer(yodel.ServerConfig{Credentials: s.Server})
	impl.Register(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, impl.Carried.Listener(lis)) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-served)
	}()

	args := append([]string{cfg.script("echo_client.py"), lis.Addr().String()}, s.ClientArgs...)
	cmd := exec.CommandContext(ctx, cfg.python, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	group := "Python's client, our server, " + s.Name
	done := false
	for line := range strings.Lines(string(out)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		switch {
		case fields[0] == "done":
			done = true
		case fields[0] == "ok" && len(fields) == 2:
			r.Add(group, fields[1], nil)
		case fields[0] == "FAIL" && len(fields) == 3:
			r.Add(group, fields[1], errors.New(fields[2]))
		default:
			r.Add(group, "output", fmt.Errorf("unexpected line %q", line))
		}
	}
	if err == nil && !done {
		err = errors.New("the client in Python did not come to its end")
	}
	return err
}
