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
	"github.com/yodelrpc/yodel/interop/internal/testcert"
)

// The test program is a peer itself: its server is ours, and its client prints
// what the environment says.
const clientOutput = "YODEL_PEER_OUTPUT"

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
	impl.Register(server)
	fmt.Println("listening on", lis.Addr().(*net.TCPAddr).Port)
	return server.Serve(ctx, lis)
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
	program().CheckServer(t.Context(), s, &r)
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
