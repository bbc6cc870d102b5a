// Command connect is connect-go, with its compression and without, as a program:
// see package process.
package main

import (
	"github.com/yodelrpc/yodel/bench/process"
	"github.com/yodelrpc/yodel/bench/stack/connectgo"
)

func main() {
	process.Main(connectgo.Stack{Label: "connect"}, connectgo.Stack{Label: "connect-plain", Plain: true})
}
