package status

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestCodeNames(t *testing.T) {
	// The numbers and spellings are the wire's and the documents'.
	want := []string{
		"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
		"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
		"ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
		"UNAUTHENTICATED",
	}
	for i, name := range want {
		if c := Code(i); c.String() != name || c.Error() != name || !c.Valid() {
			t.Errorf("Code(%d) = %q, valid %v, want %q", i, c, c.Valid(), name)
		}
	}
	for _, c := range []Code{17, 1 << 31, 1<<32 - 1} {
		if c.Valid() || !strings.HasPrefix(c.String(), "CODE(") {
			t.Errorf("%d is %q, valid %v", uint32(c), c, c.Valid())
		}
	}
	if Unauthenticated != 16 {
		t.Error("Unauthenticated is not 16")
	}
}

func TestNew(t *testing.T) {
	if New(OK, "fine") != nil || Errorf(OK, "fine") != nil || Make(FromPeer, OK, "", nil, nil) != nil {
		t.Error("an error with the code OK is not nil")
	}
	err := New(NotFound, "no such user")
	if got := err.Error(); got != "NOT_FOUND: no such user" {
		t.Errorf("Error() = %q", got)
	}
	if !errors.Is(err, NotFound) || errors.Is(err, Internal) {
		t.Error("errors.Is does not find the code")
	}
	wrapped := fmt.Errorf("loading: %w", err)
	if !errors.Is(wrapped, NotFound) || CodeOf(wrapped) != NotFound {
		t.Error("the code is lost in a wrapper")
	}
}

func TestErrorf(t *testing.T) {
	cases := []struct {
		name    string
		format  string
		args    []any
		message string
		text    string
		is      []error
	}{
		{"no cause", "user %d", []any{7}, "user 7", "INTERNAL: user 7", nil},
		{"cause at the end", "user %d: %w", []any{7, io.ErrShortBuffer}, "user 7", "INTERNAL: user 7: short buffer", []error{io.ErrShortBuffer}},
		{"only a cause", "%w", []any{io.ErrShortBuffer}, "", "INTERNAL: short buffer", []error{io.ErrShortBuffer}},
		{"shown with %v", "user %d: %v", []any{7, io.ErrShortBuffer}, "user 7: short buffer", "INTERNAL: user 7: short buffer", nil},
		{"both ways", "%v: %w", []any{io.ErrShortBuffer, io.ErrClosedPipe}, "short buffer", "INTERNAL: short buffer: io: read/write on closed pipe", []error{io.ErrClosedPipe}},
		{"same error both ways", "%v: %w", []any{io.ErrShortBuffer, io.ErrShortBuffer}, "short buffer", "INTERNAL: short buffer: short buffer", []error{io.ErrShortBuffer}},
		{"in the middle", "a %w b", []any{io.ErrShortBuffer}, "a  b", "INTERNAL: a  b: short buffer", []error{io.ErrShortBuffer}},
		{"indexed", "%[2]d: %[1]w", []any{io.ErrShortBuffer, 7}, "7", "INTERNAL: 7: short buffer", []error{io.ErrShortBuffer}},
		{"two causes", "x: %w, %w", []any{io.ErrShortBuffer, io.ErrNoProgress}, "x", "INTERNAL: x: short buffer; " + io.ErrNoProgress.Error(), []error{io.ErrShortBuffer, io.ErrNoProgress}},
		{"percent", "100%% %w", []any{io.ErrShortBuffer}, "100%", "INTERNAL: 100%: short buffer", []error{io.ErrShortBuffer}},
		{"width and flags", "%-4d|%+q: %w", []any{7, "ü", io.ErrShortBuffer}, "7   |\"\\u00fc\"", "INTERNAL: 7   |\"\\u00fc\": short buffer", []error{io.ErrShortBuffer}},
		{"quoted error", "%q: %w", []any{io.ErrShortWrite, io.ErrShortBuffer}, `"short write"`, `INTERNAL: "short write": short buffer`, []error{io.ErrShortBuffer}},
		{"no error for %w", "x: %w", []any{7}, "x: %!w(int=7)", "INTERNAL: x: %!w(int=7)", nil},
		{"missing argument", "x: %w %d", []any{io.ErrShortBuffer}, "x:  %!d(MISSING)", "INTERNAL: x:  %!d(MISSING): short buffer", []error{io.ErrShortBuffer}},
		{"ends in percent", "x %w %", []any{io.ErrShortBuffer}, "x  %!(NOVERB)", "INTERNAL: x  %!(NOVERB): short buffer", []error{io.ErrShortBuffer}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := Errorf(Internal, c.format, c.args...)
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("%T is no *Error", err)
			}
			if e.Message() != c.message {
				t.Errorf("Message() = %q, want %q: this is what the peer sees", e.Message(), c.message)
			}
			if e.Error() != c.text {
				t.Errorf("Error() = %q, want %q", e.Error(), c.text)
			}
			for _, target := range c.is {
				if !errors.Is(err, target) {
					t.Errorf("the cause %v is lost", target)
				}
			}
		})
	}
}

func TestCodeOf(t *testing.T) {
	cases := []struct {
		err  error
		want Code
	}{
		{nil, OK},
		{New(Aborted, ""), Aborted},
		{NotFound, NotFound},
		{fmt.Errorf("x: %w", NotFound), NotFound},
		{context.Canceled, Canceled},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), DeadlineExceeded},
		{io.EOF, Unknown},
		{Errorf(Internal, "x: %w", New(NotFound, "y")), Internal},
		{Errorf(Internal, "x: %w", context.Canceled), Internal},
		{errors.Join(io.EOF, New(NotFound, "y")), NotFound},
		{(*Error)(nil), Unknown},
	}
	for _, c := range cases {
		if got := CodeOf(c.err); got != c.want {
			t.Errorf("CodeOf(%v) = %v, want %v", c.err, got, c.want)
		}
	}
	err := New(Aborted, "")
	if n := testing.AllocsPerRun(100, func() { _ = CodeOf(err) }); n != 0 {
		t.Errorf("CodeOf allocates %v times", n)
	}
}

// A connection that ends is often io.EOF. A loop that receives until io.EOF must
// not take that for the end of the messages: data would be cut off in silence.
func TestNoErrorIsEOF(t *testing.T) {
	lost := &net.OpError{Op: "read", Err: io.EOF}
	for _, err := range []error{
		Make(FromChannel, Unavailable, "the connection failed", nil, io.EOF),
		Make(FromChannel, Unavailable, "the connection failed", nil, lost),
		Errorf(Internal, "reading: %w", io.EOF),
		fmt.Errorf("more: %w", Errorf(Internal, "reading: %w", fmt.Errorf("%w and %w", io.EOF, net.ErrClosed))),
	} {
		if errors.Is(err, io.EOF) {
			t.Errorf("%v is io.EOF", err)
		}
		if !strings.Contains(err.Error(), "EOF") {
			t.Errorf("%v does not say its cause", err)
		}
	}
	err := Make(FromChannel, Unavailable, "", nil, fmt.Errorf("%w: %w: %w", lost, net.ErrClosed, NotFound))
	var found *net.OpError
	if !errors.Is(err, net.ErrClosed) || !errors.Is(err, NotFound) || !errors.As(err, &found) || found != lost {
		t.Errorf("%v has lost its other causes", err)
	}
}

// R40: what a peer says is quoted and cut in what is printed, and whole in
// Message.
func TestPeerTextIsQuotedAndCut(t *testing.T) {
	evil := "line\nlevel=ERROR \x1b[31m\u202e" + strings.Repeat("ü", 1000)
	e := Make(FromPeer, NotFound, evil, nil, nil).(*Error)
	got := e.Error()
	if strings.ContainsAny(got, "\n\x1b\u202e") {
		t.Errorf("Error() = %q lets control characters through", got)
	}
	if !strings.HasSuffix(got, fmt.Sprintf(`"... (%d bytes)`, len(evil))) || len(got) > 2*shownText {
		t.Errorf("Error() = %q is not cut", got)
	}
	if strings.Contains(got, `\xc3`) {
		t.Errorf("Error() = %q is cut inside a rune", got)
	}
	if e.Message() != evil || !e.FromPeer() {
		t.Error("Message() is not whole")
	}
	invalid := Make(FromPeer, NotFound, strings.Repeat("\x80", 1000), nil, nil)
	if len(invalid.Error()) > 5*shownText {
		t.Error("text without any rune start is not cut")
	}
	if got := Make(FromPeer, NotFound, "short", nil, nil).Error(); got != `NOT_FOUND: "short"` {
		t.Errorf("Error() = %q", got)
	}
}

func TestForPeer(t *testing.T) {
	fromPeer := Make(FromPeer, PermissionDenied, "secret of a backend", nil, nil)
	fromChannel := Make(FromChannel, Unavailable, "10.0.0.7 refused", nil, io.EOF)
	cases := []struct {
		name    string
		err     error
		code    Code
		message string
		hidden  bool
	}{
		{"nil", nil, OK, "", false},
		{"made here", New(NotFound, "x"), NotFound, "x", false},
		{"made here and wrapped", fmt.Errorf("secret: %w", New(NotFound, "x")), NotFound, "x", true},
		{"made here with a cause", Errorf(NotFound, "x: %w", io.EOF), NotFound, "x", true},
		{"made here about a peer's", Errorf(Unavailable, "backend: %w", fromPeer), Unavailable, "backend", true},
		{"bare code", NotFound, NotFound, "", false},
		{"bare OK", OK, OK, "", false},
		{"a peer's", fromPeer, Internal, "", true},
		{"a peer's, wrapped", fmt.Errorf("x: %w", fromPeer), Internal, "", true},
		{"a channel's", fromChannel, Internal, "", true},
		{"forwarded", Forward(fromPeer), PermissionDenied, "secret of a backend", false},
		{"wrapped and forwarded", Forward(fmt.Errorf("x: %w", fromPeer)), PermissionDenied, "secret of a backend", false},
		{"forwarded channel's", Forward(fromChannel), Unavailable, "10.0.0.7 refused", false},
		{"canceled", context.Canceled, Canceled, "", false},
		{"deadline", fmt.Errorf("x: %w", context.DeadlineExceeded), DeadlineExceeded, "", false},
		{"anything else", errors.New("secret"), Unknown, "", true},
		{"forwarded anything else", Forward(errors.New("secret")), Unknown, "", true},
		{"nil *Error", (*Error)(nil), Unknown, "", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			shown, hidden := ForPeer(c.err)
			if shown.Code() != c.code || shown.Message() != c.message || hidden != c.hidden {
				t.Errorf("shows %v %q, hidden %v; want %v %q, %v",
					shown.Code(), shown.Message(), hidden, c.code, c.message, c.hidden)
			}
			if hidden && c.err != error((*Error)(nil)) && !errors.Is(shown, c.err) && !errors.Is(c.err, shown) {
				t.Error("what is hidden cannot be logged: the cause is gone")
			}
		})
	}
}

func TestForward(t *testing.T) {
	if Forward(nil) != nil || Forward(io.EOF) != io.EOF {
		t.Error("Forward changes what holds no status")
	}
	detail, _ := anypb.New(wrapperspb.String("d"))
	err := Make(FromPeer, Aborted, "m\n", []*anypb.Any{detail}, nil)
	f := Forward(err)
	if !errors.Is(f, err) || CodeOf(f) != Aborted {
		t.Error("Forward loses what it forwards")
	}
	if got := f.Error(); got != `ABORTED: "m\n"` {
		t.Errorf("Error() = %q: forwarded text is still a peer's", got)
	}
	if d, ok := DetailOf[*wrapperspb.StringValue](f); !ok || d.GetValue() != "d" {
		t.Error("Forward loses the details")
	}
	if e := err.(*Error); e.forwarded {
		t.Error("Forward changed the error that it was given")
	}
}

func TestDetails(t *testing.T) {
	packed, err := anypb.New(wrapperspb.Int32(5))
	if err != nil {
		t.Fatal(err)
	}
	err = New(FailedPrecondition, "m", durationpb.New(3), nil, packed, wrapperspb.String("\xff"), wrapperspb.String("s"))
	err = fmt.Errorf("wrapped: %w", err)
	if d, ok := DetailOf[*durationpb.Duration](err); !ok || d.AsDuration() != 3 {
		t.Errorf("Duration: %v, %v", d, ok)
	}
	if d, ok := DetailOf[*wrapperspb.Int32Value](err); !ok || d.GetValue() != 5 {
		t.Errorf("an Any was packed again: %v, %v", d, ok)
	}
	if d, ok := DetailOf[*wrapperspb.StringValue](err); !ok || d.GetValue() != "s" {
		t.Errorf("StringValue: %v, %v", d, ok)
	}
	if _, ok := DetailOf[*wrapperspb.BoolValue](err); ok {
		t.Error("found a detail that is not there")
	}
	if d, ok := DetailOf[proto.Message](err); !ok || !proto.Equal(d, durationpb.New(3)) {
		t.Errorf("first of any type: %v, %v", d, ok)
	}
	if _, ok := DetailOf[*durationpb.Duration](io.EOF); ok {
		t.Error("found a detail in an error without")
	}
	if !strings.Contains(err.Error(), "google.protobuf.StringValue") {
		t.Errorf("%v does not say which detail is left out", err)
	}
	e, _ := errors.AsType[*Error](err)
	e.Details()[0] = nil
	if e.Details()[0] == nil {
		t.Error("Details gives the Error's own slice away")
	}
}

func TestDetailOfBadBytes(t *testing.T) {
	bad := &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.Duration", Value: []byte{0xff}}
	unknown := &anypb.Any{TypeUrl: "type.googleapis.com/no.such.Type"}
	err := Make(FromPeer, Internal, "", []*anypb.Any{nil, unknown, bad, {}}, nil)
	if _, ok := DetailOf[*durationpb.Duration](err); ok {
		t.Error("a detail that cannot be decoded was found")
	}
	if _, ok := DetailOf[proto.Message](err); ok {
		t.Error("a detail that cannot be decoded was found")
	}
}

func TestNilErrorDoesNotPanic(t *testing.T) {
	var e *Error
	if e.Code() != OK || e.Message() != "" || e.Details() != nil || e.Unwrap() != nil ||
		e.Error() != "OK" || e.FromPeer() || e.Is(Internal) || e.AppendProto(nil) != nil {
		t.Error("a nil *Error is not OK")
	}
}
