package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// result is what a run printed.
type result struct {
	tests, passed, skipped, failed int
	// reset are those of passed that h2spec calls failed, because it was told by a
	// TCP reset that the connection was closed. It means to take that for an
	// answer, but looks for an error that Go has wrapped since.
	reset int
	// failures are the failed cases, such as http2/5.1/7.
	failures []string
}

// String has the counts.
func (r result) String() string {
	s := fmt.Sprintf("%d cases, %d passed, %d skipped, %d failed", r.tests, r.passed, r.skipped, r.failed)
	if r.reset > 0 {
		s += fmt.Sprintf(" (%d passed by a TCP reset)", r.reset)
	}
	return s
}

// chapters are the titles of h2spec's parts, and how its arguments call them.
var chapters = map[string]string{
	"Generic tests for HTTP/2 server":                "generic",
	"Hypertext Transfer Protocol Version 2 (HTTP/2)": "http2",
	"HPACK: Header Compression for HTTP/2":           "hpack",
	"Generic tests for HTTP/2 client":                "client",
}

var (
	colours = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")
	section = regexp.MustCompile(`^([0-9.]+)\. `)
	failed  = regexp.MustCompile(`^× ([0-9]+):`)
	totals  = regexp.MustCompile(`(?m)^([0-9]+) tests, ([0-9]+) passed, ([0-9]+) skipped, ([0-9]+) failed`)
)

// parse reads the output of h2spec or h2specd.
func parse(out string) result {
	out = colours.ReplaceAllString(strings.ReplaceAll(out, "\r", "\n"), "")
	var r result
	if match := totals.FindStringSubmatch(out); match != nil {
		for i, n := range []*int{&r.tests, &r.passed, &r.skipped, &r.failed} {
			// The expression has digits only.
			*n, _ = strconv.Atoi(match[i+1])
		}
	}
	// The failures are listed a second time.
	out, _, _ = strings.Cut(out, "Failures:")
	var chapter, part string
	mayClose := false
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if name, ok := chapters[line]; ok {
			chapter = name
		} else if match := section.FindStringSubmatch(line); match != nil {
			part = match[1]
		} else if match := failed.FindStringSubmatch(line); match != nil {
			r.failures = append(r.failures, chapter+"/"+part+"/"+match[1])
			mayClose = false
		} else if strings.HasSuffix(line, "Connection closed") {
			mayClose = true
		} else if mayClose && strings.HasPrefix(line, "Actual: ") && strings.HasSuffix(line, "connection reset by peer") {
			mayClose = false
			r.failures = r.failures[:len(r.failures)-1]
			r.failed--
			r.passed++
			r.reset++
		}
	}
	return r
}

// exceptions are cases that may fail, with the reason.
type exceptions map[string]string

// readExceptions reads a file of them: a case and its reason on a line, after
// lines that begin with #.
func readExceptions(file string) (exceptions, error) {
	text, err := os.ReadFile(file) //nolint:gosec // it is named by whoever runs this
	if err != nil {
		return nil, err
	}
	read := make(exceptions)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, reason, _ := strings.Cut(line, " ")
		if reason = strings.TrimSpace(reason); reason == "" {
			return nil, fmt.Errorf("%s: the case %s has no reason", file, id)
		}
		read[id] = reason
	}
	return read, nil
}

// compare returns what is wrong with a run of so many cases.
func (e exceptions) compare(got result, cases int) []string {
	var problems []string
	if got.tests != cases {
		problems = append(problems, fmt.Sprintf("%d cases have run, and there are %d", got.tests, cases))
	}
	if got.failed != len(got.failures) {
		problems = append(problems, fmt.Sprintf("%d failures, but %d are named", got.failed, len(got.failures)))
	}
	if got.skipped != 0 {
		problems = append(problems, fmt.Sprintf("%d cases were skipped", got.skipped))
	}
	for _, id := range got.failures {
		if e[id] == "" {
			problems = append(problems, id+" failed")
		}
	}
	for id := range e {
		if !slices.Contains(got.failures, id) {
			problems = append(problems, id+" did not fail: take it out of the exceptions")
		}
	}
	slices.Sort(problems)
	return problems
}
