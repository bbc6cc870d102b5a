//go:build !race

package yodel_test

const raceEnabled = false
