package status

import (
	"fmt"
	"strings"
)

// Errorf returns an Error whose text is formatted as by fmt.Errorf, or nil if
// code is OK. What %w formats is kept as a local cause and is not part of the
// text that the peer sees:
//
//	status.Errorf(status.Internal, "order %d cannot be stored: %w", id, err)
//
// tells the peer "order 7 cannot be stored", and Error(), logs, errors.Is and
// errors.As of this program the rest too. Use %v for an error whose text is
// meant for the peer.
func Errorf(code Code, format string, args ...any) error {
	if code == OK {
		return nil
	}
	full := fmt.Errorf(format, args...)
	e := &Error{code: code}
	switch wrapper := full.(type) { //nolint:errorlint // it was made right here
	case interface{ Unwrap() error }:
		e.cause = wrapper.Unwrap()
	case interface{ Unwrap() []error }:
		e.cause = joined(wrapper.Unwrap())
	}
	if e.cause == nil {
		e.message = full.Error()
		return e
	}
	e.message = strings.TrimRight(withoutCauses(format, args), " :;,-")
	return e
}

// hiddenVerb is what withoutCauses turns %w into: no other formatter has it.
const hiddenVerb = '\x00'

// withoutCauses formats as fmt.Sprintf, except that %w formats nothing.
func withoutCauses(format string, args []any) string {
	hiding := make([]any, len(args))
	for i, arg := range args {
		if err, ok := arg.(error); ok {
			arg = hideable{err}
		}
		hiding[i] = arg
	}
	b := []byte(format)
	for i := 0; i < len(b); i++ {
		if b[i] != '%' {
			continue
		}
		// Flags, width, precision and argument indexes come before the verb.
		for i++; i < len(b) && strings.IndexByte("+-# 0123456789.*[]", b[i]) >= 0; i++ {
		}
		if i < len(b) && b[i] == 'w' {
			b[i] = hiddenVerb
		}
	}
	return fmt.Sprintf(string(b), hiding...)
}

// hideable is an error that formats itself as nothing for hiddenVerb, and as
// ever for other verbs.
type hideable struct{ error }

func (h hideable) Format(s fmt.State, verb rune) {
	if verb != hiddenVerb {
		_, _ = fmt.Fprintf(s, fmt.FormatString(s, verb), h.error)
	}
}
