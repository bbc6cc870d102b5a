// Command nethttp is net/http as a program: see package process.
package main

import (
	"github.com/yodelrpc/yodel/bench/process"
	"github.com/yodelrpc/yodel/bench/stack/nethttp"
)

func main() {
	process.Main(nethttp.Stack{})
}
