// Command raw is the floors as a program: see package process.
package main

import (
	"github.com/yodelrpc/yodel/bench/process"
	"github.com/yodelrpc/yodel/bench/stack/raw"
)

func main() {
	process.Main(raw.Mux{}, raw.PingPong{})
}
