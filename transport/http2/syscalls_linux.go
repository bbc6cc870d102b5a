//go:build !race

package http2

import (
	"syscall"
	"unsafe"
)

// maxVector is how many pieces one writev takes; Linux allows 1,024.
const maxVector = 64

// quickBytes is how many bytes may be moved without a word to Go's scheduler. A
// socket that does not block takes or gives them about as fast as a copy. The
// scheduler, told of a system call, hands the processor on when one takes 20 us,
// as it does whenever the thread loses its core, and threads then struggle for it.
const quickBytes = 1 << 20

func readNow(fd uintptr, b []byte) (int, error) {
	return transfer(syscall.SYS_READ, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b), len(b))
}

func writeNow(fd uintptr, b []byte) (int, error) {
	return transfer(syscall.SYS_WRITE, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b), len(b))
}

// writeVector writes the first pieces of p without waiting.
func writeVector(fd uintptr, p *pending) (int, error) {
	var vector [maxVector]syscall.Iovec
	n, size := 0, 0
	p.each(func(b []byte) bool {
		if n == maxVector {
			return false
		}
		if len(b) > 0 {
			vector[n].Base = unsafe.SliceData(b)
			vector[n].SetLen(len(b))
			n++
			size += len(b)
		}
		return true
	})
	return transfer(syscall.SYS_WRITEV, fd, unsafe.Pointer(&vector), n, size)
}

// readVector reads into first, and then into second, without waiting.
func readVector(fd uintptr, first, second []byte) (int, error) {
	vector := [2]syscall.Iovec{{Base: unsafe.SliceData(first)}, {Base: unsafe.SliceData(second)}}
	vector[0].SetLen(len(first))
	vector[1].SetLen(len(second))
	return transfer(syscall.SYS_READV, fd, unsafe.Pointer(&vector), len(vector), len(first)+len(second))
}

// transfer makes a system call that moves up to size bytes between memory and the
// socket, which does not block; at and count say where they are.
func transfer(trap, fd uintptr, at unsafe.Pointer, count, size int) (int, error) {
	for {
		var n uintptr
		var errno syscall.Errno
		if size <= quickBytes {
			n, _, errno = syscall.RawSyscall(trap, fd, uintptr(at), uintptr(count))
		} else {
			n, _, errno = syscall.Syscall(trap, fd, uintptr(at), uintptr(count))
		}
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
