package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/yodelrpc/yodel/bench/measure"
)

// Run is all that a run saw, as its JSON file has it.
type Run struct {
	Machine  *Machine
	Outcomes []*measure.Outcome
	Verdicts []Judged
}

// Judged is a verdict with its row and in words.
type Judged struct {
	Row string
	measure.Verdict
	Word string
}

// The files of a report, beside the plots.
const (
	jsonFile     = "results.json"
	markdownFile = "results.md"
)

// Write writes the JSON file, the tables and the plots of a run to dir.
func Write(dir string, machine *Machine, outcomes []*measure.Outcome) error {
	run := Run{Machine: machine, Outcomes: outcomes}
	for _, o := range outcomes {
		for _, v := range o.Verdicts() {
			run.Verdicts = append(run.Verdicts, Judged{Row: o.Row.Name, Verdict: v, Word: v.Word()})
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // a folder of documentation
		return err
	}
	text, err := json.MarshalIndent(run, "", "\t") //nolint:musttag // the names in the file are the fields'
	if err != nil {
		return fmt.Errorf("encoding the results: %w", err)
	}
	if err := write(dir, jsonFile, append(text, '\n')); err != nil {
		return err
	}
	drawn, err := plots(dir, outcomes)
	if err != nil {
		return err
	}
	return write(dir, markdownFile, markdown(run, drawn))
}

func write(dir, name string, text []byte) error {
	return os.WriteFile(filepath.Join(dir, name), text, 0o644) //nolint:gosec // documentation
}

// Read reads the JSON file of a run back.
func Read(dir string) (*Run, error) {
	text, err := os.ReadFile(filepath.Join(dir, jsonFile)) //nolint:gosec // the user says where
	if err != nil {
		return nil, err
	}
	var run Run
	if err := json.Unmarshal(text, &run); err != nil { //nolint:musttag // as above
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, jsonFile), err)
	}
	return &run, nil
}
