package report

import (
	"debug/buildinfo"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/yodelrpc/yodel/bench/measure"
)

// Machine is where and with what a run was.
type Machine struct {
	Processor  string
	Processors int
	Kernel     string
	Go         string
	// Revision is the commit that was measured, as git describes it.
	Revision string
	// Modules are those that the programs in Go link.
	Modules map[string]string
	// Programs are the stacks in other languages, with their versions.
	Programs map[string]string
	Began    time.Time
	// LoadBefore and LoadAfter are the system's load averages.
	LoadBefore, LoadAfter string
	Minutes               float64
	Arguments             string
}

// Here describes this machine at the beginning of a run of programs.
func Here(revision string, programs map[string]measure.Program) *Machine {
	m := &Machine{
		Processors: runtime.NumCPU(), Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		Kernel: firstLine("/proc/sys/kernel/osrelease"), Modules: map[string]string{}, Programs: map[string]string{}, Revision: revision,
		Began: time.Now(), LoadBefore: load(), Arguments: strings.Join(os.Args[1:], " "),
	}
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.Processor = strings.TrimSpace(value)
			break
		}
	}
	for name, program := range programs {
		if program.Version != "" {
			m.Programs[name] = program.Version
			continue
		}
		if info, err := buildinfo.ReadFile(program.Path); err == nil {
			for _, dep := range info.Deps {
				m.Modules[dep.Path] = dep.Version
			}
		}
	}
	return m
}

// End notes the end of the run.
func (m *Machine) End() {
	m.LoadAfter, m.Minutes = load(), time.Since(m.Began).Minutes()
}

func load() string { return firstLine("/proc/loadavg") }

func firstLine(file string) string {
	text, _ := os.ReadFile(file) //nolint:gosec // only the files above; what is missing stays empty
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}
