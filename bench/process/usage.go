package process

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is what a process has used.
type Usage struct {
	// CPU is the time of all its threads, in user and kernel mode.
	CPU time.Duration
	// RSS is its resident memory; Heap and Stack are Go's share of it, in use.
	RSS, Heap, Stack int64
	Goroutines       int
	// Threads is how many of the system's threads exist.
	Threads int
}

// usage looks at this process.
func usage(settle bool) (Usage, error) {
	var u Usage
	if settle {
		// Twice: the first finds what finalizers and pools still hold.
		runtime.GC()
		runtime.GC()
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		u.Heap, u.Stack = int64(m.HeapInuse), int64(m.StackInuse)
	}
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return u, fmt.Errorf("getrusage: %w", err)
	}
	u.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	u.Goroutines = runtime.NumGoroutine()
	u.Threads = pprof.Lookup("threadcreate").Count()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return u, fmt.Errorf("reading the resident memory: %w", err)
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return u, fmt.Errorf("/proc/self/statm has %q", text)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return u, fmt.Errorf("/proc/self/statm: %w", err)
	}
	u.RSS = pages * int64(os.Getpagesize())
	return u, nil
}

// profile starts a CPU profile, or ends one if file is empty.
func profile(file string) error {
	if file == "" {
		pprof.StopCPUProfile()
		return nil
	}
	f, err := os.Create(file) //nolint:gosec // the driver says where
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(f)
}
