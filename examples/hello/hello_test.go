// Package hello_test runs the hello example's real programs.
package hello_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// server and client are the built programs.
var server, client string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "yodel-hello-")
	if err != nil {
		log.Fatal(err)
	}
	out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./server", "./client").CombinedOutput()
	if err != nil {
		log.Fatalf("go build: %v\n%s", err, out)
	}
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	server, client = filepath.Join(dir, "server"+suffix), filepath.Join(dir, "client"+suffix)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var started = regexp.MustCompile(`^server stub started on port (\d+) \.\.\.\n$`)

// startServer runs the server on a free port, and returns its address once it says
// that it listens, and its process.
func startServer(t *testing.T) (addr string, process *exec.Cmd) {
	t.Helper()
	process = exec.Command(server, "-addr", "127.0.0.1:0")
	process.Stderr = os.Stderr
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	match := started.FindStringSubmatch(line)
	if match == nil {
		t.Fatalf("the server printed %q", line)
	}
	return net.JoinHostPort("127.0.0.1", match[1]), process
}

// result is how a program ended.
type result struct {
	stdout, stderr string
	code           int
}

func runProgram(t *testing.T, name string, args ...string) result {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func TestNames(t *testing.T) {
	addr, _ := startServer(t)
	for _, c := range []struct {
		title string
		args  []string
		want  string
	}{
		{"the default name", nil, `resp: "Hello Vikesh"`},
		{"a name", []string{"Ada"}, `resp: "Hello Ada"`},
		{"an empty name", []string{""}, `resp: "Hello "`},
		{"two spaces", []string{"Ada  L."}, `resp: "Hello Ada  L."`},
		{"quotes", []string{`"Ada" 'L.'`}, `resp: "Hello \"Ada\" 'L.'"`},
		{"a backslash", []string{`A\da`}, `resp: "Hello A\\da"`},
		{"a newline", []string{"Ada\nL."}, `resp: "Hello Ada\nL."`},
		{"not ASCII", []string{"Zoë 世界"}, `resp: "Hello Zoë 世界"`},
		{"like a field", []string{`resp:  "x"`}, `resp: "Hello resp:  \"x\""`},
		{"long", []string{strings.Repeat("a", 100_000)}, `resp: "Hello ` + strings.Repeat("a", 100_000) + `"`},
	} {
		got := runProgram(t, client, append([]string{"-addr", addr}, c.args...)...)
		if want := (result{c.want + "\n", "", 0}); got != want {
			t.Errorf("%s: got %.300s, want %.300s", c.title, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
		}
	}
}

func TestBadNames(t *testing.T) {
	addr, _ := startServer(t)
	got := runProgram(t, client, "-addr", addr, "Ad\xffa")
	if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, `the name "Ad\xffa" is not valid UTF-8`) {
		t.Errorf("a name that is not UTF-8: %+v", got)
	}
	got = runProgram(t, client, "-addr", addr, "Ada", "Lovelace")
	if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, "one name at most") {
		t.Errorf("two names: %+v", got)
	}
}

func TestServerNotUp(t *testing.T) {
	// A port that was free a moment ago.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()

	got := runProgram(t, client, "-addr", addr)
	if got.code != 1 || got.stdout != "" {
		t.Errorf("exit status and output: %+v", got)
	}
	for _, part := range []string{"is the server running at " + addr, "refused"} {
		if !strings.Contains(got.stderr, part) {
			t.Errorf("the message lacks %q: %s", part, got.stderr)
		}
	}
}

func TestPortTaken(t *testing.T) {
	addr, _ := startServer(t)
	got := runProgram(t, server, "-addr", addr)
	if got.code != 1 || got.stdout != "" {
		t.Errorf("exit status and output: %+v", got)
	}
	for _, part := range []string{addr, "in use", "-addr"} {
		if !strings.Contains(got.stderr, part) {
			t.Errorf("the message lacks %q: %s", part, got.stderr)
		}
	}
}

func TestServerStops(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		addr, process := startServer(t)
		if got := runProgram(t, client, "-addr", addr); got.code != 0 {
			t.Fatalf("the client failed: %+v", got)
		}
		if err := process.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := process.Wait(); err != nil {
			t.Errorf("after %v the server ended with %v", signal, err)
		}
	}
}
