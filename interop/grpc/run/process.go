package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// patience is how long a case may take, and soakPatience a soak case.
	patience     = 30 * time.Second
	soakPatience = 120 * time.Second
	// goodbye is how long a server may take to end.
	goodbye = 5 * time.Second
)

// soakFlags make the soak cases 1,000 calls long. What a call may take is for a
// machine that does other things too.
var soakFlags = []string{
	"-soak_iterations=1000", "-soak_overall_timeout_seconds=110", "-soak_per_iteration_max_acceptable_latency_ms=5000",
}

// runCase runs a client for one case. The error has what it printed last.
func runCase(ctx context.Context, client, name string, flags []string) error {
	limit := patience
	if strings.HasSuffix(name, "_soak") {
		limit = soakPatience
		flags = append(slices.Clip(flags), soakFlags...)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var printed bytes.Buffer
	cmd := exec.CommandContext(ctx, client, append(slices.Clip(flags), "-test_case="+name)...)
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, tail(printed.String()))
	}
	return nil
}

// tail returns the last lines of a text.
func tail(text string) string {
	const most = 600
	text = strings.TrimSpace(text)
	if len(text) > most {
		text = "... " + text[len(text)-most:]
	}
	return text
}

// server is a server that runs.
type server struct {
	cmd        *exec.Cmd
	host, port string
}

// startServer starts a server, and waits until it says where it listens.
func startServer(ctx context.Context, program string, flags []string) (*server, error) {
	cmd := exec.CommandContext(ctx, program, append([]string{"-port=0"}, flags...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
		if !ok {
			err = errors.New("the server says " + line)
		} else {
			s.host, s.port, err = net.SplitHostPort(address)
		}
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("%s does not start: %w", program, err)
	}
	return s, nil
}

// stop asks the server to end, and then ends it.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(goodbye, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	_ = s.cmd.Wait()
}
