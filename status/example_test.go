package status_test

import (
	"errors"
	"fmt"
	"io/fs"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/yodelrpc/yodel/status"
)

func ExampleErrorf() {
	err := status.Errorf(status.NotFound, "order %d is unknown: %w", 7, fs.ErrNotExist)

	fmt.Println(err)
	fmt.Println(errors.Is(err, status.NotFound), errors.Is(err, fs.ErrNotExist))

	shown, _ := status.ForPeer(err)
	fmt.Println("the peer sees:", shown.Message())
	// Output:
	// NOT_FOUND: order 7 is unknown: file does not exist
	// true true
	// the peer sees: order 7 is unknown
}

func ExampleDetailOf() {
	err := status.New(status.Unavailable, "come back later", durationpb.New(5_000_000_000))

	if wait, ok := status.DetailOf[*durationpb.Duration](err); ok {
		fmt.Println(wait.AsDuration())
	}
	// Output: 5s
}
