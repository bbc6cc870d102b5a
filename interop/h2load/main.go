// Command h2load has nghttp2's h2load make 100000 unary calls, first of the
// hello example's server program, then of the same service in this process,
// where it can see that every call ended with OK and that goroutines and heap
// return to where they were.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/examples/hello/apipb"
	"google.golang.org/protobuf/proto"
)

const (
	// heapSlack is how much the heap may have grown, in bytes. Three bytes that
	// each of 100000 calls left behind would be more.
	heapSlack = 256 << 10
	// idleGoroutines is how many goroutines this process has while its server
	// has no connection: main, two for signals, and two that serve.
	idleGoroutines = 5
	// settle is how long connections and goroutines may take to end.
	settle = 15 * time.Second
)

func main() {
	server := flag.String("server", "", "the hello example's server program")
	calls := flag.Int("n", 100_000, "number of calls")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	err := run(ctx, *server, *calls)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "h2load FAILED:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, server string, calls int) error {
	dir, err := os.MkdirTemp("", "yodel-h2load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	frame := filepath.Join(dir, "hello.frame")
	if err := writeFrame(frame); err != nil {
		return err
	}
	if err := programCheck(ctx, server, frame, calls); err != nil {
		return fmt.Errorf("the hello server: %w", err)
	}
	if err := leakCheck(ctx, frame, calls); err != nil {
		return fmt.Errorf("the server in this process: %w", err)
	}
	return nil
}

// writeFrame writes a request's body: a message in its envelope.
func writeFrame(file string) error {
	message, err := proto.Marshal(&apipb.ApiRequest{UserName: "Vikesh"})
	if err != nil {
		return err
	}
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return os.WriteFile(file, append(body, message...), 0o600)
}

// programCheck loads the server program, and stops it.
func programCheck(ctx context.Context, server, frame string, calls int) (err error) {
	cmd := exec.CommandContext(ctx, server, "-addr", "127.0.0.1:0")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cmd.Process.Signal(os.Interrupt), cmd.Wait()) }()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return err
	}
	var port int
	if _, err := fmt.Sscanf(line, "server stub started on port %d ...", &port); err != nil {
		return fmt.Errorf("it printed %q: %w", line, err)
	}
	return load(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), frame, calls)
}

// hello is the hello example's service.
type hello struct{}

func (hello) ApiEndpoint(_ context.Context, req *apipb.ApiRequest) (*apipb.ApiResponse, error) {
	return &apipb.ApiResponse{Resp: "Hello " + req.GetUserName()}, nil
}

// leakCheck loads a server in this process, and compares goroutines and heap
// before and after.
func leakCheck(ctx context.Context, frame string, calls int) (err error) {
	var ok, failed atomic.Int64
	count := func(next yodel.Handler) yodel.Handler {
		return func(ctx context.Context, call *yodel.Call, stream yodel.Stream) error {
			err := next(ctx, call, stream)
			if err != nil {
				failed.Add(1)
			} else {
				ok.Add(1)
			}
			return err
		}
	}
	server := yodel.NewServer(yodel.ServerConfig{
		Credentials:  credentials.Insecure(),
		Interceptors: []yodel.ServerInterceptor{count},
	})
	apipb.RegisterApi(server, hello{})
	var config net.ListenConfig
	lis, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	serveCtx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- server.Serve(serveCtx, lis) }()
	defer func() {
		stop()
		err = errors.Join(err, <-served)
	}()

	// A first load fills pools and tables, and the goroutines that it leaves
	// behind are those of a server without connections: few.
	warm := max(calls/10, 1000)
	if err := load(ctx, lis.Addr().String(), frame, warm); err != nil {
		return err
	}
	before := settled(ctx, usage{goroutines: idleGoroutines, heap: math.MaxInt64})
	if err := load(ctx, lis.Addr().String(), frame, calls); err != nil {
		return err
	}
	after := settled(ctx, before)
	fmt.Printf("before: %v\nafter:  %v\n", before, after)
	if got, want := ok.Load(), int64(warm+calls); got != want || failed.Load() != 0 {
		return fmt.Errorf("%d calls ended with OK and %d did not; want %d and 0", got, failed.Load(), want)
	}
	if before.goroutines > idleGoroutines || !after.returnedTo(before) {
		stacks := make([]byte, 1<<20)
		fmt.Printf("%s\n", stacks[:runtime.Stack(stacks, true)])
		return errors.New("goroutines or heap did not return to where they were")
	}
	return nil
}

// usage is what a process holds.
type usage struct {
	goroutines int
	heap       uint64
}

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d KiB of heap", u.goroutines, u.heap>>10)
}

func (u usage) returnedTo(before usage) bool {
	return u.goroutines <= before.goroutines && u.heap <= before.heap+heapSlack
}

// settled waits until usage has returned to what it was before, and returns what
// it is then, or when it has not for too long.
func settled(ctx context.Context, before usage) usage {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(settle); ; <-tick.C {
		// Twice: what sync.Pools hold survives one collection.
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		now := usage{goroutines: runtime.NumGoroutine(), heap: m.HeapAlloc}
		if now.returnedTo(before) || ctx.Err() != nil || time.Now().After(end) {
			return now
		}
	}
}

var (
	requests = regexp.MustCompile(`requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
	statuses = regexp.MustCompile(`status codes: (\d+) 2xx`)
)

// load runs h2load, and fails unless every request succeeded.
func load(ctx context.Context, addr, frame string, calls int) error {
	cmd := exec.CommandContext(ctx, "h2load", "-n", strconv.Itoa(calls), "-c", "4", "-m", "50",
		"-H", "content-type: application/grpc", "-H", "te: trailers", "-d", frame,
		"http://"+addr+"/Api/ApiEndpoint")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("h2load: %w\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		for _, prefix := range []string{"finished in", "requests:", "status codes:"} {
			if strings.HasPrefix(line, prefix) {
				fmt.Print(line)
			}
		}
	}
	match, codes := requests.FindSubmatch(out), statuses.FindSubmatch(out)
	if match == nil || codes == nil {
		return fmt.Errorf("h2load printed no result:\n%s", out)
	}
	want := strconv.Itoa(calls)
	if string(match[4]) != want || string(match[5]) != "0" || string(match[6]) != "0" || string(match[7]) != "0" || string(codes[1]) != want {
		return fmt.Errorf("not all of %d requests succeeded:\n%s", calls, out)
	}
	return nil
}
