//go:build unix && !linux

package http2

import "syscall"

// writeVector writes the pieces of p one after the other, without waiting, as
// far as the socket takes them.
func writeVector(fd uintptr, p *pending) (written int, err error) {
	p.each(func(b []byte) bool {
		var n int
		n, err = ignoringEINTR(syscall.Write, fd, b)
		written += max(n, 0)
		return err == nil && n == len(b)
	})
	if written > 0 {
		err = nil
	}
	return written, err
}

// readVector reads into first only: there is no readv.
func readVector(fd uintptr, first, _ []byte) (int, error) {
	return ignoringEINTR(syscall.Read, fd, first)
}
