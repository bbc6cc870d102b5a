package yodel

import (
	"context"
	"testing"
)

// CrashOnPanic (R31) leaves a panic of the program's code to the program: in the
// handler and its interceptors, and in what OnDone was given.
func TestCrashOnPanic(t *testing.T) {
	m := &Method{Service: "a.B", Name: "C"}
	panicked := func(crash bool) (handler, done any) {
		s := NewServer(ServerConfig{CrashOnPanic: crash, Interceptors: []ServerInterceptor{func(Handler) Handler {
			return func(context.Context, *Call, Stream) error { panic("handler") }
		}}})
		escaped := func(f func(c *serverCall)) (p any) {
			defer func() { p = recover() }()
			f(&serverCall{request: &request{route: &route{server: s}}, Call: Call{Method: m}})
			return nil
		}
		handler = escaped(func(c *serverCall) { _ = c.run() })
		done = escaped(func(c *serverCall) {
			c.OnDone(func(error) { panic("done") })
			c.tell(c.endLocked(nil), nil)
		})
		return handler, done
	}
	if handler, done := panicked(true); handler != "handler" || done != "done" {
		t.Errorf("with the option the program sees %v and %v", handler, done)
	}
	if handler, done := panicked(false); handler != nil || done != nil {
		t.Errorf("without it the program sees %v and %v", handler, done)
	}
}
