// Command grpcgo is grpc-go as a program: see package process.
package main

import (
	"github.com/yodelrpc/yodel/bench/process"
	"github.com/yodelrpc/yodel/bench/stack/grpcgo"
)

func main() {
	process.Main(grpcgo.Stack{})
}
