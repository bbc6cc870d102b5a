package measure

import "cmp"

// Verdict is how a target came out.
type Verdict struct {
	Target
	// Value is the ratio, or the metric itself for an absolute target.
	Value Estimate
	// Measured is false if there is nothing to judge.
	Measured bool
}

// slack is how far beyond its bound the whole interval must lie for a failure.
const slack = 0.1

// Met tells whether the median reaches the target.
func (v Verdict) Met() bool {
	if !v.Measured {
		return false
	}
	return (v.AtLeast == 0 || v.Value.Median >= v.AtLeast) && (v.AtMost == 0 || v.Value.Median <= v.AtMost)
}

// Failed tells whether the whole interval lies beyond the target less a tenth,
// or there is nothing to judge. What is counted, not timed, gets no tenth. An
// aim does not fail.
func (v Verdict) Failed() bool {
	switch {
	case v.Aim:
		return false
	case !v.Measured:
		return true
	case v.Absolute:
		return !v.Met()
	}
	return (v.AtLeast > 0 && v.Value.High < v.AtLeast*(1-slack)) ||
		(v.AtMost > 0 && v.Value.Low > v.AtMost*(1+slack))
}

// Word is the verdict in a word or two.
func (v Verdict) Word() string {
	switch {
	case !v.Measured:
		return "not measured"
	case v.Met():
		return "met"
	case v.Failed():
		return "FAILED"
	case v.Aim:
		return "aim not met"
	}
	return "within noise"
}

// Verdicts judges every target of the row whose stack was measured.
func (o *Outcome) Verdicts() []Verdict {
	var all []Verdict
	for _, target := range o.Row.Targets {
		cell := o.Cell(target.Stack)
		if cell == nil {
			continue
		}
		v := Verdict{Target: target}
		base := o.Cell(cmp.Or(target.Over, Baseline))
		switch {
		case target.Absolute:
			v.Value, v.Measured = cell.Estimate(target.Metric)
		case base == nil, target.Over != "" && len(base.Samples) == 0:
			continue
		default:
			v.Value, v.Measured = cell.Ratio(base, target.Metric)
		}
		all = append(all, v)
	}
	return all
}

// Failed tells whether any target has.
func (o *Outcome) Failed() bool {
	for _, v := range o.Verdicts() {
		if v.Failed() {
			return true
		}
	}
	return false
}
