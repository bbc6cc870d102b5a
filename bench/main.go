// Command bench measures Yodel beside other stacks: see
// docs/benchmarks/method.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/yodelrpc/yodel/bench/measure"
	"github.com/yodelrpc/yodel/bench/process"
	"github.com/yodelrpc/yodel/bench/report"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && strings.HasPrefix(args[0], "role-") {
		return process.Run(process.Role(args[0]), args[1], findStack, os.Stdin, os.Stdout)
	}
	s, err := parse(args)
	if err != nil {
		return err
	}
	if s.list {
		list()
		return nil
	}
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	s.driver.Folder, s.driver.Log = folder, os.Stderr
	return s.measure()
}

// settings are the command line.
type settings struct {
	driver measure.Driver
	rows   []measure.Row
	list   bool
	quick  bool
	out    string
}

func parse(args []string) (*settings, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	var s settings
	var names, stackNames string
	flags.StringVar(&names, "rows", "", "the `rows` to measure, with commas between; none means all")
	flags.StringVar(&stackNames, "stacks", "", "the `stacks` to measure instead of each row's; \"a:b\" is a client a with a server b")
	flags.IntVar(&s.driver.Rounds, "rounds", 5, "how many turns each stack has in a row")
	flags.DurationVar(&s.driver.Time, "time", 400*time.Millisecond, "how long a turn is, after a warm-up of a fifth of it")
	flags.StringVar(&s.driver.Profiles, "profiles", "", "a `folder` for CPU profiles of every process")
	flags.BoolVar(&s.list, "list", false, "list the rows and stacks")
	flags.BoolVar(&s.quick, "quick", false, "judge the rows of the short run against grpc-go; exit 1 if one fails twice")
	flags.StringVar(&s.out, "out", "", "a `folder` for the report; empty writes none")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	s.rows = rows()
	if names != "" {
		var err error
		if s.rows, err = measure.Select(s.rows, strings.Split(names, ",")); err != nil {
			return nil, err
		}
	}
	if stackNames != "" {
		s.driver.Stacks = strings.Split(stackNames, ",")
	}
	if s.driver.Profiles != "" {
		if err := os.MkdirAll(s.driver.Profiles, 0o755); err != nil {
			return nil, err
		}
	}
	return &s, nil
}

func list() {
	for _, row := range rows() {
		fmt.Printf("%-20s %s\n", row.Name, row.Title)
	}
	for _, s := range stacks() {
		fmt.Println("stack", s.Name())
	}
}

func (s *settings) measure() error {
	var outcomes []*measure.Outcome
	for _, row := range s.rows {
		row.Stacks = known(row.Stacks)
		o, err := s.driver.Measure(row)
		if err != nil {
			return err
		}
		if err := report.Text(os.Stdout, o); err != nil {
			return err
		}
		outcomes = append(outcomes, o)
	}
	fmt.Println()
	return report.Verdicts(os.Stdout, outcomes)
}
