// Command bench measures Yodel beside other stacks: see
// docs/benchmarks/method.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/yodelrpc/yodel/bench/measure"
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
	s, err := parse(args)
	if err != nil {
		return err
	}
	switch {
	case s.list:
		list()
		return nil
	case s.again:
		// A change of the report needs no new run.
		old, err := report.Read(s.out)
		if err != nil {
			return err
		}
		return report.Write(s.out, old.Machine, old.Outcomes)
	}
	s.driver.Programs = programs(s.programs)
	if err := complete(s.driver.Programs); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	s.driver.Folder, s.driver.Log = folder, os.Stderr
	s.driver.Binary = measure.Weigher{Source: s.source, Folder: folder}.Weigh
	if s.quick {
		return s.judge()
	}
	return s.measure()
}

// settings are the command line.
type settings struct {
	driver      measure.Driver
	rows        []measure.Row
	list, quick bool
	again       bool
	out, source string
	programs    string
	revision    string
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
	flags.BoolVar(&s.quick, "quick", false, "judge the rows of the short run against grpc-go; exit 1 if one fails twice in a row")
	flags.BoolVar(&s.again, "again", false, "write the tables and plots of -out again, from its JSON file")
	flags.StringVar(&s.out, "out", "", "a `folder` for the report; empty writes none")
	flags.StringVar(&s.revision, "revision", "", "what the report calls this `commit`")
	flags.StringVar(&s.programs, "programs", ".tmp/bin", "the `folder` of the stacks' programs: scripts/bench.sh builds those in Go, bench-full.sh the others too")
	flags.StringVar(&s.source, "source", "bench", "the `folder` of this program's source, for the row binary")
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
		if err := os.MkdirAll(s.driver.Profiles, 0o755); err != nil { //nolint:gosec // the user's own choice
			return nil, err
		}
	}
	return &s, nil
}

func list() {
	for _, row := range rows() {
		quick := " "
		if row.Quick {
			quick = "*"
		}
		fmt.Printf("%s %-20s %s\n", quick, row.Name, row.Title)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Println("  stack", name)
	}
}

// measure runs the rows and writes the report.
func (s *settings) measure() error {
	machine := report.Here(s.revision, s.driver.Programs)
	var outcomes []*measure.Outcome
	for _, row := range s.rows {
		o, err := s.row(row)
		if err != nil {
			return err
		}
		outcomes = append(outcomes, o)
	}
	machine.End()
	fmt.Println()
	if err := report.Verdicts(os.Stdout, outcomes); err != nil {
		return err
	}
	if s.out == "" {
		return nil
	}
	return report.Write(s.out, machine, outcomes)
}

func (s *settings) row(row measure.Row) (*measure.Outcome, error) {
	if row.Way != measure.Binary {
		row.Stacks = s.known(row)
	}
	o, err := s.driver.Measure(row)
	if err != nil {
		return nil, err
	}
	return o, report.Text(os.Stdout, o)
}

// known leaves out the stacks of a row that have no program.
func (s *settings) known(row measure.Row) []string {
	have := known(row.Stacks, s.driver.Programs)
	for _, name := range row.Stacks {
		if !slices.Contains(have, name) {
			fmt.Fprintf(os.Stderr, "bench: row %s: there is no stack %s; no target with it is judged\n", row.Name, name)
		}
	}
	return have
}

var errMissed = errors.New("a row has failed twice in a row: its whole interval lies beyond the target less a tenth")

// judge runs the quick rows, and those that fail once more.
func (s *settings) judge() error {
	var outcomes []*measure.Outcome
	missed := false
	for _, row := range s.rows {
		if !row.Quick {
			continue
		}
		row.Stacks = judged(row)
		o, err := s.row(row)
		if err != nil {
			return err
		}
		if o.Failed() {
			fmt.Printf("%s has failed; once more\n", row.Name)
			if o, err = s.row(row); err != nil {
				return err
			}
			missed = missed || o.Failed()
		}
		outcomes = append(outcomes, o)
	}
	fmt.Println()
	if err := report.Verdicts(os.Stdout, outcomes); err != nil {
		return err
	}
	if missed {
		return errMissed
	}
	return nil
}

// judged returns the stacks that a row's targets are about, and the baseline.
func judged(row measure.Row) []string {
	var names []string
	for _, name := range row.Stacks {
		needed := name == theirs
		for _, target := range row.Targets {
			needed = needed || target.Stack == name && target.Over == ""
		}
		if needed {
			names = append(names, name)
		}
	}
	return names
}
