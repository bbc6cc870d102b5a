package measure

import (
	"math"
	"slices"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{5, 1, 3}, 3},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := median(slices.Clone(test.values)); got != test.want {
			t.Errorf("median of %v: %v, want %v", test.values, got, test.want)
		}
	}
}

func TestEstimate(t *testing.T) {
	values := []float64{4.8, 5.1, 5.0, 5.3, 9.9, 4.9, 5.2}
	e := estimate(values)
	if e.Median != 5.1 {
		t.Errorf("the median is %v", e.Median)
	}
	// One outlier must not carry the interval away.
	if e.Low < 4.8 || e.Low > 5.1 || e.High < 5.1 || e.High > 5.3 {
		t.Errorf("the interval is %v to %v", e.Low, e.High)
	}
	if again := estimate(values); again != e {
		t.Errorf("the same values give %v and %v", e, again)
	}
	if values[0] != 4.8 {
		t.Error("estimate has sorted its argument")
	}
	if e := estimate(nil); !math.IsNaN(e.Median) {
		t.Errorf("nothing gives %v", e)
	}
	if e := estimate([]float64{2}); e != (Estimate{2, 2, 2}) {
		t.Errorf("one value gives %v", e)
	}
}

// Ratios are of the same round: a slow round of both must not show.
func TestRatioIsOfTheSameRound(t *testing.T) {
	mine := &Cell{Samples: []Sample{{Rate: 60}, {Rate: 6}, {Rate: 600}}}
	theirs := &Cell{Samples: []Sample{{Rate: 10}, {Rate: 1}, {Rate: 100}}}
	e, has := mine.Ratio(theirs, Rate)
	if !has || e != (Estimate{6, 6, 6}) {
		t.Errorf("got %v, %v", e, has)
	}
	if _, has := mine.Ratio(theirs, P99); has {
		t.Error("a metric that nobody has gives a ratio")
	}
}

func TestVerdicts(t *testing.T) {
	// The interval of each is that of its three equal or spread rounds.
	rounds := func(values ...float64) *Cell {
		c := &Cell{Stack: "a"}
		for _, v := range values {
			c.Samples = append(c.Samples, Sample{Rate: v})
		}
		return c
	}
	base := &Cell{Stack: Baseline, Samples: []Sample{{Rate: 1}, {Rate: 1}, {Rate: 1}}}
	for _, test := range []struct {
		name   string
		cell   *Cell
		target Target
		word   string
		failed bool
	}{
		{"over a floor", rounds(6, 6, 6), AtLeast("a", Rate, 5), "met", false},
		{"under a floor by less than a tenth", rounds(4.6, 4.6, 4.6), AtLeast("a", Rate, 5), "within noise", false},
		{"under a floor by more", rounds(4.4, 4.4, 4.4), AtLeast("a", Rate, 5), "FAILED", true},
		{"under a floor, and the interval is not", rounds(4.0, 4.2, 4.6), AtLeast("a", Rate, 5), "within noise", false},
		{"under a ceiling", rounds(0.1, 0.1, 0.1), AtMost("a", Rate, 0.17), "met", false},
		{"over a ceiling by less than a tenth", rounds(0.18, 0.18, 0.18), AtMost("a", Rate, 0.17), "within noise", false},
		{"over a ceiling by more", rounds(0.19, 0.19, 0.19), AtMost("a", Rate, 0.17), "FAILED", true},
		{"an aim", rounds(1, 1, 1), AtLeast("a", Rate, 5).AsAim(), "aim not met", false},
		{"a count gets no tenth", rounds(10.1, 10.1, 10.1), Ceiling("a", Rate, 10), "FAILED", true},
		{"a count at its ceiling", rounds(10, 10, 10), Ceiling("a", Rate, 10), "met", false},
		{"nothing to judge", rounds(), AtLeast("a", Rate, 5), "not measured", true},
	} {
		o := &Outcome{Row: Row{Targets: []Target{test.target}}, Cells: []*Cell{test.cell, base}}
		all := o.Verdicts()
		if len(all) != 1 {
			t.Fatalf("%s: %d verdicts", test.name, len(all))
		}
		if v := all[0]; v.Word() != test.word || v.Failed() != test.failed || o.Failed() != test.failed {
			t.Errorf("%s: %q, failed %v; want %q, %v", test.name, v.Word(), v.Failed(), test.word, test.failed)
		}
	}
}

// A stack that was not asked for has no verdict, and cannot fail.
func TestVerdictsOfAbsentStacks(t *testing.T) {
	o := &Outcome{Row: Row{Targets: []Target{AtLeast("a", Rate, 5)}}, Cells: []*Cell{{Stack: Baseline}}}
	if all := o.Verdicts(); len(all) != 0 || o.Failed() {
		t.Errorf("got %v", all)
	}
}

// A ratio over another stack is judged only where that stack has figures.
func TestVerdictsAgainstOthers(t *testing.T) {
	mine := &Cell{Stack: "a", Samples: []Sample{{Rate: 2}}}
	target := []Target{AtLeast("a", Rate, 1).Against("b")}
	for name, test := range map[string]struct {
		cells []*Cell
		want  int
	}{
		"absent":  {[]*Cell{mine}, 0},
		"failed":  {[]*Cell{mine, {Stack: "b", Failure: "broken"}}, 0},
		"present": {[]*Cell{mine, {Stack: "b", Samples: []Sample{{Rate: 4}}}}, 1},
	} {
		o := &Outcome{Row: Row{Targets: target}, Cells: test.cells}
		all := o.Verdicts()
		if len(all) != test.want {
			t.Fatalf("%s: %d verdicts, want %d", name, len(all), test.want)
		}
		if len(all) == 1 && (all[0].Value.Median != 0.5 || !all[0].Failed()) {
			t.Errorf("%s: %+v", name, all[0])
		}
	}
}

func TestSides(t *testing.T) {
	for name, want := range map[string][2]string{"a": {"a", "a"}, "a:b": {"a", "b"}} {
		if client, server := Sides(name); client != want[0] || server != want[1] {
			t.Errorf("%s: %s and %s", name, client, server)
		}
	}
}

func TestSelect(t *testing.T) {
	rows := []Row{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	got, err := Select(rows, []string{"c", "a"})
	if err != nil || len(got) != 2 || got[0].Name != "a" || got[1].Name != "c" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Select(rows, []string{"d"}); err == nil {
		t.Error("a row that does not exist is selected")
	}
}
