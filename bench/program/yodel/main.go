// Command yodel is Yodel, as it is and without its spin, as a program: see
// package process.
package main

import (
	"github.com/yodelrpc/yodel/bench/process"
	"github.com/yodelrpc/yodel/bench/stack/yodelgo"
	"github.com/yodelrpc/yodel/transport/http2"
)

func main() {
	process.Main(
		yodelgo.Stack{Label: "yodel"},
		yodelgo.Stack{Label: "yodel-nospin", Configure: func(cfg *http2.Config) { cfg.NoSpin = true }},
	)
}
