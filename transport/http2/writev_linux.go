package http2

import (
	"syscall"
	"unsafe"
)

// maxVector is how many pieces one writev takes; Linux allows 1,024.
const maxVector = 64

// writeVector writes the first pieces of p without waiting.
func writeVector(fd uintptr, p *pending) (int, error) {
	var vector [maxVector]syscall.Iovec
	n := 0
	add := func(b []byte) bool {
		if n == maxVector {
			return false
		}
		if len(b) > 0 {
			vector[n].Base = unsafe.SliceData(b)
			vector[n].SetLen(len(b))
			n++
		}
		return true
	}
	p.each(add)
	for {
		written, _, errno := syscall.Syscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&vector[0])), uintptr(n))
		switch errno {
		case 0:
			return int(written), nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// readVector reads into first, and then into second, without waiting.
func readVector(fd uintptr, first, second []byte) (int, error) {
	vector := [2]syscall.Iovec{{Base: unsafe.SliceData(first)}, {Base: unsafe.SliceData(second)}}
	vector[0].SetLen(len(first))
	vector[1].SetLen(len(second))
	for {
		n, _, errno := syscall.Syscall(syscall.SYS_READV, fd, uintptr(unsafe.Pointer(&vector[0])), uintptr(len(vector)))
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
