// Package peer checks that this repository's client and server understand
// another implementation's, which is a program in whatever language:
//
//	PROGRAM client ADDRESS [CA]
//	PROGRAM server ADDRESS [CERTIFICATE KEY]
//
// The client checks a server of Echo (echo.proto). It prints a line for each
// check: "ok", a tab, and the check's name; or "FAIL", a tab, the name, a tab,
// and what went wrong. Its last line is "N passed, N failed".
//
// The server serves Echo, except Wire. It prints the line "listening on PORT"
// when it does, and ends when its standard input does.
package peer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/interop/echo"
	"github.com/yodelrpc/yodel/interop/echopb"
)

// serverStart bounds the time a peer's server takes until it listens: one in
// Java on a busy machine needs seconds.
const serverStart = time.Minute

// Program is a peer.
type Program struct {
	// Name is how results call it.
	Name string
	// Path is its executable file.
	Path string
	// NoResponseCompression says that its server cannot compress responses. A
	// check fails when it can after all.
	NoResponseCompression bool
	// SeparateMetadata says that its server sends the values of a name one by
	// one, as it got them. A check fails where it joins them (RFC 9110 §5.3
	// lets it), which passes without this.
	SeparateMetadata bool
}

// CheckClient runs the program's client against our server.
func (p *Program) CheckClient(ctx context.Context, s Security, r *Report) {
	group := p.Name + "'s client, our server, " + s.Name
	if err := p.checkClient(ctx, group, s, r); err != nil {
		r.Add(group, "the run", err)
	}
}

func (p *Program) checkClient(ctx context.Context, group string, s Security, r *Report) (err error) {
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

	cmd := exec.CommandContext(ctx, p.Path, append([]string{"client", lis.Addr().String()}, s.ClientArgs...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	before := r.Failed
	report := output{group: group, missing: slices.Clone(contract)}
	for line := range strings.Lines(string(out)) {
		report.line(strings.TrimSuffix(line, "\n"), r)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 && r.Failed > before {
		err = nil // it says once more that checks failed
	}
	return errors.Join(err, report.end())
}

// output is what a client has printed.
type output struct {
	group          string
	missing        []string
	passed, failed int
	total          string
}

func (o *output) line(line string, r *Report) {
	fields := strings.SplitN(line, "\t", 3)
	switch {
	case o.total == "" && fields[0] == "ok" && len(fields) == 2:
		o.passed++
		r.Add(o.group, fields[1], nil)
	case o.total == "" && fields[0] == "FAIL" && len(fields) == 3:
		o.failed++
		r.Add(o.group, fields[1], errors.New(fields[2]))
	case o.total == "" && len(fields) == 1 && strings.HasSuffix(line, " failed"):
		o.total = line
		return
	default:
		r.Add(o.group, "its output", fmt.Errorf("unexpected line %q", line))
		return
	}
	o.missing = slices.DeleteFunc(o.missing, func(name string) bool { return name == fields[1] })
}

// end tells what is wrong with the output as a whole.
func (o *output) end() error {
	var errs []error
	if want := fmt.Sprintf("%d passed, %d failed", o.passed, o.failed); o.total != want {
		errs = append(errs, fmt.Errorf("its last line is %q, not %q", o.total, want))
	}
	if len(o.missing) > 0 {
		errs = append(errs, fmt.Errorf("it left out: %s", strings.Join(o.missing, ", ")))
	}
	return errors.Join(errs...)
}

// CheckServer checks the program's server with our client.
func (p *Program) CheckServer(ctx context.Context, s Security, r *Report) {
	group := "our client, " + p.Name + "'s server, " + s.Name
	if err := p.checkServer(ctx, group, s, r); err != nil {
		r.Add(group, "the run", err)
	}
}

func (p *Program) checkServer(ctx context.Context, group string, s Security, r *Report) (err error) {
	server, err := p.startServer(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	return p.CheckListening(ctx, server.addr, group, s, r)
}

// CheckListening checks, with our client, a server of the program's that
// listens at addr. Results go to the group; the error says why there are none.
func (p *Program) CheckListening(ctx context.Context, addr, group string, s Security, r *Report) (err error) {
	relay, err := echo.NewRelay(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, relay.Close()) }()
	channel, err := yodel.NewChannel(relay.Addr(), yodel.ChannelConfig{Credentials: s.Client})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, channel.Close()) }()
	if err := channel.WaitReady(ctx); err != nil {
		return err
	}

	sub := &subject{program: p, channel: channel, echo: echopb.NewEchoClient(channel), wire: relay}
	for _, check := range checks {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		r.Add(group, check.name, check.run(ctx, sub))
		cancel()
	}
	return nil
}

// child is a server program that has said where it listens.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	addr  string
}

func (p *Program) startServer(ctx context.Context, s Security) (*child, error) {
	cmd := exec.CommandContext(ctx, p.Path, append([]string{"server", "127.0.0.1:0"}, s.ServerArgs...)...)
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
	overdue := time.AfterFunc(serverStart, func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	overdue.Stop()
	var port int
	if err == nil {
		_, err = fmt.Sscanf(line, "listening on %d", &port)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		return nil, errors.Join(fmt.Errorf("%s printed %q and did not listen within %v: %w", p.Path, line, serverStart, err), cmd.Wait())
	}
	return &child{cmd: cmd, stdin: stdin, addr: fmt.Sprintf("127.0.0.1:%d", port)}, nil
}

// stop ends the server by the end of its input.
func (c *child) stop() error {
	overdue := time.AfterFunc(serverStart, func() { _ = c.cmd.Process.Kill() })
	defer overdue.Stop()
	return errors.Join(c.stdin.Close(), c.cmd.Wait())
}
