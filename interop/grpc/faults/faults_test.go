package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/yodelrpc/yodel/interop/grpc/faults"
)

func TestFaults(t *testing.T) {
	for _, c := range faults.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := c.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}
