package floors

import "testing"

const (
	fileBudget     = 600
	functionBudget = 60
)

// TestBudgets fails when a file or a function outgrows what a reader holds in
// mind. Tests and generated code are free.
func TestBudgets(t *testing.T) {
	used := map[string]bool{}
	over := func(key string, lines, budget int) {
		switch {
		case lines <= budget:
		case budgetExceptions[key] != "":
			used[key] = true
		default:
			t.Errorf("%s has %d lines; the budget is %d", key, lines, budget)
		}
	}
	for _, m := range readModules(t) {
		for _, p := range m.packages {
			for _, file := range p.files {
				if file.generated || file.test {
					continue
				}
				over(file.path, file.lines, fileBudget)
				for _, f := range file.functions {
					over(file.path+":"+f.name, f.lines, functionBudget)
				}
			}
		}
	}
	for key := range budgetExceptions {
		if !used[key] {
			t.Errorf("the exception for %s is not needed", key)
		}
	}
}
