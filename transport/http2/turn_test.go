package http2_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// watcherFunc is a [transport.Watcher].
type watcherFunc func(error)

func (f watcherFunc) StreamFailed(err error) { f(err) }

// TestStreamsPerTurn (R1) would break if the reader opened all the streams that
// came in one read before it yields: a watcher hears of its stream's end when
// the turn is over, and sees how far the turn went.
func TestStreamsPerTurn(t *testing.T) {
	const attack = 100
	// Two bytes a field: all of the attack fits into one read.
	block := []byte{0x83, 0x86, 0x84, 0x41, 1, 'a'}
	play := func(t *testing.T, limits http2.Limits) (opened int) {
		serverScript(t, http2.Config{Limits: limits}, func(s transport.Stream, h *transport.Header) {
			if h.Block.Authority == "watched" {
				if err := s.Watch(watcherFunc(func(error) { opened = http2.BooksOf(s.Conn()).Streams })); err != nil {
					t.Error(err)
				}
			}
			blockUntilReset(s, h)
		}, func(s *served) {
			s.write(headers(1, fields(":method", "POST", ":scheme", "http", ":path", "/", ":authority", "watched"), 0))
			synctest.Wait()
			burst := reset(1, frame.CodeCancel)
			for i := range uint32(attack) {
				burst = append(burst, headers(2*i+3, block, 0)...)
			}
			s.write(burst)
			s.wantOutcome("alive")
		})
		return opened
	}
	if n := play(t, http2.Limits{}); n != 32 {
		t.Errorf("%d streams were opened in one turn, want 32", n)
	}
	if n := play(t, http2.Limits{StreamsPerTurn: 5}); n != 5 {
		t.Errorf("%d streams were opened in one turn, want 5", n)
	}
	if n := play(t, http2.Limits{StreamsPerTurn: -1}); n != attack {
		t.Errorf("without the limit %d streams were opened in one turn, want all %d", n, attack)
	}
}

// TestTurnEndsBetweenRequests would break if a turn that has opened enough streams ended
// before the data of the last one, which has come with it: its handler would not run on
// the reader's goroutine, and a worker would be woken for it.
func TestTurnEndsBetweenRequests(t *testing.T) {
	goroutines := make(map[string]int)
	var mu sync.Mutex
	serverScript(t, http2.Config{Limits: http2.Limits{StreamsPerTurn: 3}}, func(s transport.Stream, h *transport.Header) {
		var stack [64]byte
		header, _, _ := bytes.Cut(stack[:runtime.Stack(stack[:], false)], []byte(" ["))
		mu.Lock()
		goroutines[string(header)]++
		mu.Unlock()
		echo(s, h)
	}, func(s *served) {
		var burst []byte
		var answers []string
		for id := uint32(1); id <= 17; id += 2 {
			burst = append(burst, join(opened(id), data(id, "x", fEnd))...)
			answers = append(answers, fmt.Sprintf("HEADERS %d 200; DATA %[1]d 1; HEADERS %[1]d trailers END", id))
		}
		s.write(burst)
		s.want("HEADERS 17 trailers", strings.Join(answers, "; "))
	})
	if len(goroutines) != 1 {
		t.Errorf("the handlers ran on %d goroutines, want the reader's only: %v", len(goroutines), goroutines)
	}
}
