package peer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/interop/echo"
	"github.com/yodelrpc/yodel/interop/echopb"
	"github.com/yodelrpc/yodel/interop/internal/testcert"
)

// The test program is a peer itself: its server is ours, and its client prints
// what the environment says, which may also have the server join metadata.
const (
	clientOutput = "YODEL_PEER_OUTPUT"
	serverJoins  = "YODEL_PEER_JOINS"
)

func TestMain(m *testing.M) {
	if len(os.Args) < 3 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case "client":
		fmt.Print(os.Getenv(clientOutput))
		if strings.Contains(os.Getenv(clientOutput), "FAIL") {
			os.Exit(1)
		}
	case "server":
		if err := serve(os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

func serve(address string, files []string) error {
	creds := credentials.Insecure()
	if len(files) == 2 {
		tls, err := credentials.Files(files[0], files[1], "")
		if err != nil {
			return err
		}
		creds = tls
	}
	lis, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var impl echo.Server
	server := yodel.NewServer(yodel.ServerConfig{Credentials: creds})
	var service echopb.EchoServer = &impl
	if os.Getenv(serverJoins) != "" {
		service = &joiningServer{&impl}
	}
	echopb.RegisterEcho(server, service)
	fmt.Println("listening on", lis.Addr().(*net.TCPAddr).Port)
	return server.Serve(ctx, lis)
}

// joiningServer sees, and so sends back, the values of x-echo as one.
type joiningServer struct{ *echo.Server }

func (s *joiningServer) Say(ctx context.Context, req *echopb.EchoRequest) (*echopb.EchoResponse, error) {
	call := yodel.CallFrom(ctx)
	if _, ok := call.RequestHeader.Get("x-echo"); ok {
		header := call.RequestHeader.Clone()
		header.Set("x-echo", joined(header, "x-echo"))
		call.RequestHeader = header
	}
	return s.Server.Say(ctx, req)
}

func program() *Program { return &Program{Name: "test", Path: os.Args[0]} }

// TestOurClientWithOurServer shows that the checks pass where nothing is wrong.
func TestOurClientWithOurServer(t *testing.T) {
	certs, err := testcert.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := TLS(certs)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	r := Report{Out: &out}
	p := program()
	p.SeparateMetadata = true
	p.CheckServer(t.Context(), s, &r)
	if r.Failed > 0 || r.Passed != len(checks) {
		t.Errorf("%d passed, %d failed:\n%s", r.Passed, r.Failed, out.String())
	}
}

// TestCapabilityThatIsDenied would pass if a peer could be excused from what it
// can do: excuses must not outlive their reason.
func TestCapabilityThatIsDenied(t *testing.T) {
	p := program()
	p.NoResponseCompression = true
	var out bytes.Buffer
	r := Report{Out: &out}
	p.CheckServer(t.Context(), Plain(), &r)
	if r.Failed != 1 || r.Passed != len(checks)-1 || !strings.Contains(out.String(), "gzip: response compressed: got true, want false") {
		t.Errorf("%d passed, %d failed:\n%s", r.Passed, r.Failed, out.String())
	}
}

// TestJoinedMetadata shows that a server which joins values fails where they
// must stay apart, and passes elsewhere.
func TestJoinedMetadata(t *testing.T) {
	t.Setenv(serverJoins, "1")
	for _, separate := range []bool{false, true} {
		p := program()
		p.SeparateMetadata = separate
		var out bytes.Buffer
		r := Report{Out: &out}
		p.CheckServer(t.Context(), Plain(), &r)
		failed := strings.Contains(out.String(), "FAIL  our client, test's server, h2c: metadata: header x-echo: got")
		if failed != separate || r.Passed+r.Failed != len(checks) || (r.Failed > 0) != separate {
			t.Errorf("separate %v: %d passed, %d failed:\n%s", separate, r.Passed, r.Failed, out.String())
		}
	}
}

func TestServerThatDoesNotListen(t *testing.T) {
	p := program()
	p.Path = "/bin/false"
	var out bytes.Buffer
	r := Report{Out: &out}
	p.CheckServer(t.Context(), Plain(), &r)
	if r.Failed != 1 || r.Passed != 0 || !strings.Contains(out.String(), `printed ""`) {
		t.Errorf("%d passed, %d failed:\n%s", r.Passed, r.Failed, out.String())
	}
}

// TestClientOutput shows that no client passes by leaving checks out, by dying
// on its way or by miscounting.
func TestClientOutput(t *testing.T) {
	all := "ok\t" + strings.Join(contract, "\nok\t") + "\n"
	n := len(contract)
	for _, test := range []struct {
		name, output   string
		passed, failed int
		want           string
	}{
		{"all", all + fmt.Sprintf("%d passed, 0 failed\n", n), n, 0, ""},
		{"nothing", "", 0, 1, "it left out"},
		{"no last line", all, n, 1, `its last line is ""`},
		{"another count", all + "1 passed, 0 failed\n", n, 1, `its last line is "1 passed, 0 failed"`},
		{
			"one left out", strings.Replace(all, "ok\tcancel\n", "", 1) + fmt.Sprintf("%d passed, 0 failed\n", n-1),
			n - 1, 1, "it left out: cancel",
		},
		{
			"one fails", strings.Replace(all, "ok\tcancel\n", "FAIL\tcancel\tit hangs\n", 1) + fmt.Sprintf("%d passed, 1 failed\n", n-1),
			n - 1, 1, "cancel: it hangs",
		},
		{
			"something else", "hello\n" + all + fmt.Sprintf("%d passed, 0 failed\n", n),
			n, 1, `unexpected line "hello"`,
		},
		{
			"a check after the last line", all + fmt.Sprintf("%d passed, 0 failed\nok\tmore\n", n),
			n, 1, `unexpected line "ok\tmore"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(clientOutput, test.output)
			var out bytes.Buffer
			r := Report{Out: &out}
			program().CheckClient(t.Context(), Plain(), &r)
			if r.Passed != test.passed || r.Failed != test.failed || !strings.Contains(out.String(), test.want) {
				t.Errorf("%d passed, %d failed, want %d and %d, and %q in:\n%s",
					r.Passed, r.Failed, test.passed, test.failed, test.want, out.String())
			}
		})
	}
}
