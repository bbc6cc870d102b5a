package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yodelrpc/yodel/bench/benchpb"
	"github.com/yodelrpc/yodel/bench/measure"
	"github.com/yodelrpc/yodel/bench/process"
	"github.com/yodelrpc/yodel/bench/report"
	"github.com/yodelrpc/yodel/bench/stack"
	"github.com/yodelrpc/yodel/bench/stack/connectgo"
	"github.com/yodelrpc/yodel/bench/stack/drpcgo"
	"github.com/yodelrpc/yodel/bench/stack/grpcgo"
	"github.com/yodelrpc/yodel/bench/stack/nethttp"
	"github.com/yodelrpc/yodel/bench/stack/raw"
	"github.com/yodelrpc/yodel/bench/stack/yodelgo"
)

// TestMain lets the driver start this test as a client or a server.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && strings.HasPrefix(os.Args[1], "role-") {
		process.Main(stacks()...)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// stacks returns all of those in Go.
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

// inThisProgram says that every stack in Go is this test.
func inThisProgram(t *testing.T) map[string]measure.Program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]measure.Program{}
	for _, s := range stacks() {
		all[s.Name()] = measure.Program{Path: self}
	}
	return all
}

// dial returns a client of a server of the same stack, in this process.
func dial(t testing.TB, client, server stack.Stack, o stack.Options) (stack.Conn, error) {
	t.Helper()
	address := "127.0.0.1:0"
	if o.Network == "unix" {
		address = filepath.Join(t.TempDir(), "socket")
	}
	lis, err := net.Listen(o.Network, address)
	if err != nil {
		t.Fatal(err)
	}
	// Stacks serve until their process ends.
	go func() { _ = server.Serve(lis, o) }()
	conn, err := client.Dial(lis.Addr().String(), o)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, err
}

// Every stack answers what it was asked, over every kind of connection: a stack
// that cuts corners would be fast.
func TestStacks(t *testing.T) {
	certificates := t.TempDir()
	if err := stack.WriteCertificates(certificates); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]stack.Options{
		"tcp":       {Network: "tcp"},
		"unix":      {Network: "unix"},
		"tls":       {Network: "tcp", Certificates: certificates},
		"annotated": {Network: "tcp", Annotate: true, Streams: 500},
	} {
		for _, s := range stacks() {
			t.Run(name+"/"+s.Name(), func(t *testing.T) {
				conn, err := dial(t, s, s, o)
				if errors.Is(err, errors.ErrUnsupported) && o.Annotate {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				checkSay(t, conn)
				if !o.Annotate {
					checkStreams(t, conn)
				}
			})
		}
	}
	t.Run("mixed", func(t *testing.T) {
		ours, theirs := yodelgo.Stack{}, grpcgo.Stack{}
		for _, pair := range [][2]stack.Stack{{ours, theirs}, {theirs, ours}} {
			conn, err := dial(t, pair[0], pair[1], stack.Options{Network: "tcp", Annotate: true, Observe: true})
			if err != nil {
				t.Fatal(err)
			}
			checkSay(t, conn)
			if counts := conn.(interface{ Counts() *stack.Counts }).Counts(); !counts.Complete() {
				t.Errorf("the client has counted %+v", counts)
			}
		}
	})
}

func checkSay(t *testing.T, conn stack.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, size := range []int{0, 100, 64 * kib, mib} {
		body := []byte(strings.Repeat("y", size))
		resp, err := conn.Say(ctx, &benchpb.Msg{Body: body})
		if err != nil || string(resp.GetBody()) != string(body) {
			t.Fatalf("Say with %d bytes gives %d bytes; %v", size, len(resp.GetBody()), err)
		}
	}
}

func checkStreams(t *testing.T, conn stack.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	chat, err := conn.Chat(ctx)
	if err == nil {
		for i := range 3 {
			text := fmt.Sprint("message ", i)
			if resp, err := chat.Exchange(&benchpb.Msg{Body: []byte(text)}); err != nil || string(resp.GetBody()) != text {
				t.Fatalf("Chat gives %q; %v", resp.GetBody(), err)
			}
		}
		err = chat.Close()
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Fatal("Chat:", err)
	}
	messages := 0
	err = conn.Down(ctx, &benchpb.DownRequest{Messages: 7, Bytes: 1000}, func(msg *benchpb.Msg) {
		if len(msg.GetBody()) == 1000 {
			messages++
		}
	})
	if (err != nil || messages != 7) && !errors.Is(err, errors.ErrUnsupported) {
		t.Fatalf("Down gives %d messages; %v", messages, err)
	}
	resp, err := conn.Up(ctx, &benchpb.Msg{Body: make([]byte, 1000)}, 7)
	if (err != nil || resp.GetMessages() != 7 || resp.GetBytes() != 7000) && !errors.Is(err, errors.ErrUnsupported) {
		t.Fatalf("Up gives %v; %v", resp, err)
	}
}

// One pass of each way to measure, with processes, and a report of it.
func TestDriver(t *testing.T) {
	// The race detector's programs sleep for a second when they end.
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	d := &measure.Driver{
		Rounds: 1, Time: 20 * time.Millisecond, Stacks: []string{ours, theirs}, Programs: inThisProgram(t),
		Folder: t.TempDir(), Log: io.Discard, Profiles: t.TempDir(),
	}
	chosen, err := measure.Select(rows(), []string{"unary-100-c16", "tls-100-c1", "chat-100-c1", "allocs-100", "idle-streams"})
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []*measure.Outcome
	for _, row := range chosen {
		row.N = min(row.N, 50)
		o, err := d.Measure(row)
		if err != nil {
			t.Fatal(row.Name, err)
		}
		for _, cell := range o.Cells {
			if cell.Failure != "" || len(cell.Samples) != 1 {
				t.Errorf("%s, %s: %d samples, %s", row.Name, cell.Stack, len(cell.Samples), cell.Failure)
			}
		}
		for _, v := range o.Verdicts() {
			if !v.Measured {
				t.Errorf("%s: %s of %s is not measured", row.Name, v.Metric, v.Stack)
			}
		}
		outcomes = append(outcomes, o)
	}
	profiles, err := filepath.Glob(filepath.Join(d.Profiles, "unary-100-c16.*.pprof"))
	if err != nil || len(profiles) != 4 {
		t.Errorf("profiles: %v, %v", profiles, err)
	}
	dir := t.TempDir()
	if err := report.Write(dir, report.Here("test", d.Programs), outcomes); err != nil {
		t.Fatal(err)
	}
	if run, err := report.Read(dir); err != nil || len(run.Outcomes) != len(outcomes) {
		t.Errorf("the report does not read back: %v", err)
	}
	if plots, _ := filepath.Glob(filepath.Join(dir, "*.svg")); len(plots) != 5 {
		t.Errorf("the report has the plots %v", plots)
	}
}

// Each foreign server that has been built here answers what grpc-go asks it,
// and each client works with grpc-go's server.
func TestForeignStacks(t *testing.T) {
	d := &measure.Driver{Rounds: 1, Time: 20 * time.Millisecond, Programs: inThisProgram(t), Folder: t.TempDir(), Log: io.Discard}
	for name, program := range programs("../.tmp/bin") {
		if !files[name].foreign {
			continue
		}
		checkForeignServer(t, name, program)
		program.WarmUp = 0
		d.Programs[name] = program
		d.Stacks = append(d.Stacks, name+":"+theirs)
	}
	if d.Stacks == nil {
		t.Log("none has been built: scripts/bench-cpp.sh, bench-rust.sh and bench-java.sh do")
		return // and without stacks of its own, the driver would take the rows'
	}
	chosen, err := measure.Select(rows(), []string{"unary-100-c1", "unary-100-c100", "chat-100-c1", "down-64k", "up-100", "cold"})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range chosen {
		o, err := d.Measure(row)
		if err != nil {
			t.Fatal(row.Name, err)
		}
		for _, cell := range o.Cells {
			if cell.Failure != "" || len(cell.Samples) != 1 || cell.Samples[0][measure.P50] <= 0 {
				t.Errorf("%s, %s: %v, %s", row.Name, cell.Stack, cell.Samples, cell.Failure)
			}
		}
	}
}

func checkForeignServer(t *testing.T, name string, program measure.Program) {
	t.Helper()
	o := stack.Options{Network: "tcp"}
	server, err := process.Start(process.Server, process.Spec{Stack: name, Options: o, Program: program.Path}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	conn, err := grpcgo.Stack{}.Dial(server.Address(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	checkSay(t, conn)
	checkStreams(t, conn)
}

// A foreign stack is its file, and warms up before its turns.
func TestProgram(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "bench-java")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bench-java.version"), []byte("Java 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	found := programs(dir)
	if err := complete(found); err == nil || !strings.Contains(err.Error(), "bench-connect") {
		t.Errorf("programs in Go are missing, and the driver says %v", err)
	}
	if len(found) != 2 || found[java].Version != "Java 1" || found[javaDirect].WarmUp <= 0 {
		t.Fatalf("the folder has the programs %v", found)
	}
	found[ours] = found[java]
	if have := known([]string{ours, java, tonic, java + ":" + ours}, found); len(have) != 3 {
		t.Errorf("the stacks %v are known", have)
	}
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	program := found[java]
	program.WarmUp = 100 * time.Millisecond
	d := &measure.Driver{Rounds: 1, Time: 10 * time.Millisecond, Stacks: []string{ours}, Programs: map[string]measure.Program{ours: program}, Folder: t.TempDir(), Log: io.Discard}
	chosen, err := measure.Select(rows(), []string{"chat-100-c1"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := d.Measure(chosen[0])
	if err != nil || o.Cell(ours).Failure != "" || o.Took < program.WarmUp.Seconds() {
		t.Errorf("the row took %v s; %+v, %v", o.Took, o.Cell(ours), err)
	}
}

// A stack that fails is reported, and does not end the run.
func TestDriverWithBrokenStack(t *testing.T) {
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	d := &measure.Driver{Rounds: 1, Time: 10 * time.Millisecond, Stacks: []string{"rawmux", "missing", theirs}, Programs: inThisProgram(t), Folder: t.TempDir(), Log: io.Discard}
	chosen, err := measure.Select(rows(), []string{"chat-100-c1"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := d.Measure(chosen[0])
	if err != nil {
		t.Fatal(err)
	}
	if c := o.Cell("rawmux"); !c.Unsupported {
		t.Errorf("rawmux has no chat, and says %q", c.Failure)
	}
	if c := o.Cell("missing"); c.Failure == "" || c.Unsupported {
		t.Errorf("a stack that is missing says %q", c.Failure)
	}
	if c := o.Cell(theirs); c.Failure != "" {
		t.Errorf("grpc-go says %q", c.Failure)
	}
}

// Names are what people type, and files are called by.
func TestRows(t *testing.T) {
	seen := map[string]bool{}
	all := map[string]measure.Program{}
	for name := range files {
		all[name] = measure.Program{}
	}
	for _, row := range rows() {
		if seen[row.Name] || row.Title == "" {
			t.Errorf("row %q is there twice, or has no title", row.Name)
		}
		seen[row.Name] = true
		for _, name := range row.Stacks {
			if row.Way != measure.Binary && len(known([]string{name}, all)) == 0 {
				t.Errorf("row %s has the stack %s, which does not exist", row.Name, name)
			}
		}
		if row.Quick && len(judged(row)) < 2 {
			t.Errorf("row %s is quick, and judges %v", row.Name, judged(row))
		}
	}
}

// BenchmarkUnary is a call of 100 bytes with both sides in one process: for its
// allocations.
func BenchmarkUnary(b *testing.B) {
	for _, s := range stacks() {
		b.Run(s.Name(), func(b *testing.B) {
			conn, err := dial(b, s, s, stack.Options{Network: "tcp"})
			if err != nil {
				b.Fatal(err)
			}
			req := &benchpb.Msg{Body: make([]byte, 100)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Say(context.Background(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
