package measure

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Sample is what one round saw of one stack.
type Sample map[Metric]float64

// Estimate is a median over the rounds, with a 90 % interval.
type Estimate struct {
	Median, Low, High float64
}

const (
	resamples = 2000
	// tail is what the interval leaves out on each side.
	tail = 0.05
)

// estimate returns the median of values, and the interval of the medians of
// samples that are drawn from them with replacement (the percentile
// bootstrap). It gives the same answer to the same values.
func estimate(values []float64) Estimate {
	if len(values) == 0 {
		return Estimate{Median: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	random := rand.New(rand.NewPCG(1, uint64(len(values))))
	medians := make([]float64, resamples)
	drawn := make([]float64, len(values))
	for i := range medians {
		for j := range drawn {
			drawn[j] = values[random.IntN(len(values))]
		}
		medians[i] = median(drawn)
	}
	slices.Sort(medians)
	at := func(share float64) float64 { return medians[min(int(share*resamples), resamples-1)] }
	return Estimate{Median: median(slices.Clone(values)), Low: at(tail), High: at(1 - tail)}
}

// median sorts values.
func median(values []float64) float64 {
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// Cell is a stack in a row: its samples, one a round.
type Cell struct {
	Stack   string
	Samples []Sample
	// Failure is why there are none.
	Failure string
	// Unsupported tells that the stack cannot do this.
	Unsupported bool
}

// Median returns the median of a metric, and whether the cell has it.
func (c *Cell) Median(m Metric) (float64, bool) {
	var values []float64
	for _, s := range c.Samples {
		if v, has := s[m]; has {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	return median(values), true
}

// Ratio estimates a metric's ratio over the same round of another cell.
func (c *Cell) Ratio(over *Cell, m Metric) (Estimate, bool) {
	var ratios []float64
	for i := range min(len(c.Samples), len(over.Samples)) {
		mine, has := c.Samples[i][m]
		theirs, have := over.Samples[i][m]
		if has && have && theirs > 0 {
			ratios = append(ratios, mine/theirs)
		}
	}
	return estimate(ratios), len(ratios) > 0
}

// Estimate estimates a metric itself.
func (c *Cell) Estimate(m Metric) (Estimate, bool) {
	var values []float64
	for _, s := range c.Samples {
		if v, has := s[m]; has {
			values = append(values, v)
		}
	}
	return estimate(values), len(values) > 0
}

// Outcome is a row's cells, in the order of its stacks.
type Outcome struct {
	Row   Row
	Cells []*Cell
	// Began and Took say when.
	Began string
	Took  float64
}

// Cell returns the one of a stack, or nil.
func (o *Outcome) Cell(name string) *Cell {
	for _, c := range o.Cells {
		if c.Stack == name {
			return c
		}
	}
	return nil
}
