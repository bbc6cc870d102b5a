//go:build unix && (!linux || race)

package http2

import "syscall"

// These are what package net uses. The race detector knows them: what one side has
// done before it writes happens before what the other does after it has read.

func readNow(fd uintptr, b []byte) (int, error)  { return ignoringEINTR(syscall.Read, fd, b) }
func writeNow(fd uintptr, b []byte) (int, error) { return ignoringEINTR(syscall.Write, fd, b) }

func ignoringEINTR(call func(int, []byte) (int, error), fd uintptr, b []byte) (int, error) {
	for {
		n, err := call(int(fd), b)
		if err != syscall.EINTR { //nolint:errorlint // a raw errno
			return n, err
		}
	}
}

// writeVector writes the pieces of p one after the other, without waiting, as
// far as the socket takes them.
func writeVector(fd uintptr, p *pending) (written int, err error) {
	p.each(func(b []byte) bool {
		var n int
		n, err = writeNow(fd, b)
		written += max(n, 0)
		return err == nil && n == len(b)
	})
	if written > 0 {
		err = nil
	}
	return written, err
}

// readVector reads into first only: there is no readv.
func readVector(fd uintptr, first, _ []byte) (int, error) { return readNow(fd, first) }
