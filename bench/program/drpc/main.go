// Command drpc is drpc as a program: see package process.
package main

import (
	"github.com/yodelrpc/yodel/bench/process"
	"github.com/yodelrpc/yodel/bench/stack/drpcgo"
)

func main() {
	process.Main(drpcgo.Stack{})
}
