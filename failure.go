package yodel

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
)

var errChannelClosed = errors.New("yodel: the channel is closed")

// channelError makes a status of this program's own channel.
func channelError(code status.Code, text string, cause error) error {
	return status.Make(status.FromChannel, code, text, nil, cause)
}

// contextError is the status of a call whose context has ended. cause is what
// else is known; nil is nothing.
func contextError(ctx context.Context, during string, cause error) error {
	code, text := status.Canceled, "the call was canceled "
	if ended := ctx.Err(); errors.Is(ended, context.DeadlineExceeded) || ended == nil {
		code, text = status.DeadlineExceeded, "the deadline passed "
	}
	own := context.Cause(ctx)
	if own == nil {
		// Its deadline has passed, and its timer is a little late.
		own = context.DeadlineExceeded
	}
	switch {
	case cause == nil:
		cause = own
	case !errors.Is(cause, own):
		cause = causes{own, cause}
	}
	return channelError(code, text+during, cause)
}

// causes are several causes of one failure.
type causes []error

func (c causes) Unwrap() []error { return c }

func (c causes) Error() string {
	var b strings.Builder
	for i, err := range c {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(err.Error())
	}
	return b.String()
}

// overdue tells whether ctx has a deadline that has passed, even if ctx has not
// noticed yet.
func overdue(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// callFailure is the status of a call whose stream failed with err.
func callFailure(ctx context.Context, err error) error {
	if ctx.Err() != nil || overdue(ctx) {
		return contextError(ctx, "while the call was in flight", nil)
	}
	var te *transport.Error
	if !errors.As(err, &te) {
		return channelError(status.Internal, "the transport failed", err)
	}
	code, text := streamFailure(te)
	return channelError(code, text, err)
}

// streamFailure maps a transport's reason to a code
// (PROTOCOL-HTTP2, "Errors": the table for RST_STREAM).
func streamFailure(te *transport.Error) (status.Code, string) {
	if te.Scope == transport.ScopeConn {
		if errors.Is(te.Err, errChannelClosed) {
			return status.Canceled, "the channel was closed while the call was in flight"
		}
		return status.Unavailable, "the connection failed"
	}
	switch te.Reason {
	case transport.ReasonRefused:
		return status.Unavailable, "the server refused the call"
	case transport.ReasonCanceled:
		return status.Canceled, "the call was canceled"
	case transport.ReasonTooMuch:
		return status.ResourceExhausted, "the server asks for less load"
	case transport.ReasonSecurity:
		return status.PermissionDenied, "the connection is not secure enough for the server"
	case transport.ReasonLost, transport.ReasonTimeout:
		return status.Unavailable, "the connection failed"
	case transport.ReasonHeaderTooLarge:
		return status.ResourceExhausted, "the metadata is too large"
	default:
		return status.Internal, "the stream failed"
	}
}

// peerVerdict is the status that a peer sent, as the caller is to see it. A
// peer that follows the deadline too may notice it first, and cancel: that is
// still the deadline of this call, and is reported as such (the call's deadline
// is generated entirely locally).
func peerVerdict(ctx context.Context, err error) error {
	if err != nil && status.CodeOf(err) == status.Canceled && overdue(ctx) {
		return channelError(status.DeadlineExceeded, "the deadline passed while the call was in flight",
			causes{context.DeadlineExceeded, err})
	}
	return err
}
