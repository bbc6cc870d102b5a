package protocol

import (
	"errors"
	"math"
	"strconv"
	"time"
)

// maxTimeoutDigits is the most that a grpc-timeout has (PROTOCOL-HTTP2:
// "positive integer as ASCII string of at most 8 digits").
const maxTimeoutDigits = 8

const maxTimeoutValue = 99_999_999

// timeoutUnits are the units of grpc-timeout, the finest first.
var timeoutUnits = [...]struct {
	letter byte
	unit   time.Duration
}{
	{'n', time.Nanosecond},
	{'u', time.Microsecond},
	{'m', time.Millisecond},
	{'S', time.Second},
	{'M', time.Minute},
	{'H', time.Hour},
}

// RoundTimeout rounds up by a hundredth of d at most, and never by more than a
// millisecond: to a value that other calls with the same timeout have too, which
// header compression sends in a byte. The client's own deadline stays what it is.
func RoundTimeout(d time.Duration) time.Duration {
	step := time.Millisecond
	for step > d/100 {
		if step /= 10; step <= time.Microsecond {
			return d
		}
	}
	if d > math.MaxInt64-step {
		return d
	}
	if rest := d % step; rest > 0 {
		d += step - rest
	}
	return d
}

// TimeoutField returns the field grpc-timeout.
func TimeoutField(d time.Duration) Field {
	var b [maxTimeoutDigits + 1]byte
	return Field{Name: nameTimeout, Value: string(AppendTimeout(b[:0], d))}
}

var errTimeout = errors.New("the field grpc-timeout is malformed: want 1 to 8 digits and one of H, M, S, m, u, n")

// AppendTimeout appends d as the value of grpc-timeout, in the finest unit that
// 8 digits allow, rounded up. It never says zero: what has expired must not be
// sent, and one nanosecond stands for it if it is.
func AppendTimeout(dst []byte, d time.Duration) []byte {
	if d <= 0 {
		return append(dst, "1n"...)
	}
	for _, u := range timeoutUnits {
		n := d / u.unit
		if d%u.unit != 0 {
			n++
		}
		if n <= maxTimeoutValue {
			return append(strconv.AppendInt(dst, int64(n), 10), u.letter)
		}
	}
	// Not reached: a Duration has at most 2,562,048 hours.
	return append(dst, "99999999H"...)
}

// ParseTimeout parses the value of grpc-timeout. What a Duration cannot hold
// becomes the longest Duration. Zero, which PROTOCOL-HTTP2 does not allow but
// some clients send, is a deadline that has passed.
func ParseTimeout(s string) (time.Duration, error) {
	digits := len(s) - 1
	if digits < 1 || digits > maxTimeoutDigits {
		return 0, errTimeout
	}
	var n int64
	for i := range digits {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, errTimeout
		}
		n = n*10 + int64(c-'0')
	}
	for _, u := range timeoutUnits {
		if u.letter != s[digits] {
			continue
		}
		if n > math.MaxInt64/int64(u.unit) {
			return math.MaxInt64, nil
		}
		return time.Duration(n) * u.unit, nil
	}
	return 0, errTimeout
}
