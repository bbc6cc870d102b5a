package yodel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodelrpc/yodel/status"
)

var (
	errExited = status.Make(status.FromChannel, status.Internal, "", nil,
		errors.New("yodel: the handler ended its goroutine (runtime.Goexit) instead of returning"))
	errPanicked = status.New(status.Internal, "the handler panicked")
)

// run calls the handler inside its interceptors. A panic is this call's alone.
func (s *serverCall) run() (err error) {
	if !s.owner().cfg.CrashOnPanic {
		defer s.owner().recovered(s.Method, &err)
	}
	ctx := context.Context(s.context())
	if o := s.observation(); o != nil {
		ctx = o.ctx
	}
	return s.owner().handle(ctx, &s.Call, s)
}

// recovered is deferred around the program's code. A panic becomes *err.
func (s *Server) recovered(m *Method, err *error) {
	p := recover()
	if p == nil {
		return
	}
	s.panics.add(s.cfg.Logger, m, p)
	if err != nil {
		*err = errPanicked
	}
}

// The stack of a panic is logged once in a while for each place that panics:
// a peer that finds a way to cause one must not fill the disk.
const (
	panicLogInterval = time.Second
	panicLogPlaces   = 64
)

// panicLog counts panics and logs some.
type panicLog struct {
	count atomic.Uint64

	mu     sync.Mutex
	logged map[uintptr]time.Time
}

func (l *panicLog) add(logger *slog.Logger, m *Method, p any) {
	n := l.count.Add(1)
	if logger == nil || !l.due(panicPlace()) {
		return
	}
	logger.LogAttrs(context.Background(), slog.LevelError, "a handler panicked",
		slog.String("method", m.Path()), slog.String("panic", fmt.Sprint(p)),
		slog.Uint64("panics", n), slog.String("stack", string(debug.Stack())))
}

// due tells whether a panic at a place is to be logged now.
func (l *panicLog) due(place uintptr) bool {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.logged[place]; ok && now.Sub(last) < panicLogInterval {
		return false
	}
	if l.logged == nil || len(l.logged) >= panicLogPlaces {
		l.logged = make(map[uintptr]time.Time)
	}
	l.logged[place] = now
	return true
}

// panicPlace returns where the panic that is being recovered began.
func panicPlace() uintptr {
	var pcs [32]uintptr
	n := runtime.Callers(1, pcs[:])
	frames := runtime.CallersFrames(pcs[:n])
	for inPanic := false; ; {
		frame, more := frames.Next()
		switch {
		case frame.Function == "runtime.gopanic":
			inPanic = true
		case inPanic && len(frame.Function) > 8 && frame.Function[:8] == "runtime.":
			// A panic of the runtime: sigpanic, panicIndex and so on.
		case inPanic:
			return frame.PC
		}
		if !more {
			return 0
		}
	}
}
