package report

import (
	"fmt"
	"image/color"
	"path/filepath"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	_ "gonum.org/v1/plot/vg/vgsvg" // the format of the files

	"github.com/yodelrpc/yodel/bench/measure"
)

// plot is a picture of one metric's ratio over grpc-go: a group of bars for
// each row, a bar for each stack.
type plot struct {
	file, title string
	metric      measure.Metric
	rows        []string
	stacks      []string
}

var (
	unaryStacks  = []string{"yodel", "grpcgo", "connect", "drpc", "nethttp", "cpp", "tonic", "java", "java-direct", "rawmux", "rawpp"}
	streamStacks = []string{"yodel", "grpcgo", "connect", "connect-plain", "drpc", "cpp", "tonic", "java", "java-direct"}
	smallRows    = []string{"unary-100-c1", "unary-100-c16", "unary-100-c100", "unary-100-c1000"}
	streamRows   = []string{"chat-100-c1", "chat-100-c100", "down-100", "down-64k", "up-64k"}
	featureRows  = []string{"annotated-100-c100", "tls-100-c100", "unix-100-c100", "slow-100-c100", "busy-100-c100"}
	largeRows    = []string{"unary-64k-c1", "unary-64k-c16", "unary-1m-c1", "unary-1m-c16"}
)

// every is all pictures of a report.
var every = []plot{
	{"rate-unary.svg", "Unary 100 B: rate over grpc-go (higher is better)", measure.Rate, smallRows, unaryStacks},
	{"cpu-unary.svg", "Unary 100 B: CPU per call, both sides, over grpc-go (lower is better)", measure.CPU, smallRows, unaryStacks},
	{"p50-unary.svg", "Unary 100 B: median latency over grpc-go (lower is better)", measure.P50, smallRows, unaryStacks},
	{"p99-unary.svg", "Unary 100 B: 99th percentile over grpc-go (lower is better)", measure.P99, smallRows, unaryStacks},
	{"rate-large.svg", "Large messages: rate over grpc-go (higher is better)", measure.Rate, largeRows, unaryStacks},
	{"rate-streams.svg", "Streams: rate over grpc-go (higher is better)", measure.Rate, streamRows, streamStacks},
	{"rate-features.svg", "Unary 100 B with more: rate over grpc-go (higher is better)", measure.Rate, featureRows, streamStacks},
}

// palette keeps a stack's colour over all pictures; it can be told apart
// without red and green.
var palette = map[string]color.Color{
	"yodel":         color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff},
	"grpcgo":        color.RGBA{R: 0x99, G: 0x99, B: 0x99, A: 0xff},
	"connect":       color.RGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff},
	"connect-plain": color.RGBA{R: 0xf0, G: 0xe4, B: 0x42, A: 0xff},
	"drpc":          color.RGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff},
	"nethttp":       color.RGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff},
	"cpp":           color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff},
	"tonic":         color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff},
	"java":          color.RGBA{R: 0x6a, G: 0x3d, B: 0x9a, A: 0xff},
	"java-direct":   color.RGBA{R: 0xca, G: 0xb2, B: 0xd6, A: 0xff},
	"rawmux":        color.RGBA{R: 0x33, G: 0x33, B: 0x33, A: 0xff},
	"rawpp":         color.RGBA{R: 0x66, G: 0x66, B: 0x66, A: 0xff},
}

const (
	plotWidth, plotHeight = 9 * vg.Inch, 3.6 * vg.Inch
	// groupWidth is what the bars of a row have together.
	groupWidth = 1.3 * vg.Inch
)

// plots draws what the outcomes have figures for.
func plots(dir string, outcomes []*measure.Outcome) ([]plot, error) {
	byName := map[string]*measure.Outcome{}
	for _, o := range outcomes {
		byName[o.Row.Name] = o
	}
	var drawn []plot
	for _, p := range every {
		ok, err := p.draw(dir, byName)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.file, err)
		}
		if ok {
			drawn = append(drawn, p)
		}
	}
	return drawn, nil
}

// draw draws a picture unless it would be empty.
func (p plot) draw(dir string, outcomes map[string]*measure.Outcome) (drawn bool, err error) {
	var rows []*measure.Outcome
	var names []string
	for _, name := range p.rows {
		if o := outcomes[name]; o != nil && o.Cell(measure.Baseline) != nil {
			rows, names = append(rows, o), append(names, name)
		}
	}
	if len(rows) == 0 {
		return false, nil
	}
	g := gonum.New()
	g.Title.Text = p.title
	g.Legend.Top = true
	g.NominalX(names...)
	width := groupWidth / vg.Length(len(p.stacks))
	for i, stack := range p.stacks {
		bars, err := plotter.NewBarChart(p.ratios(rows, stack), width)
		if err != nil {
			return false, err
		}
		bars.Color, bars.LineStyle.Width = palette[stack], 0
		bars.Offset = width * (vg.Length(i) - vg.Length(len(p.stacks)-1)/2)
		g.Add(bars)
		g.Legend.Add(stack, bars)
	}
	g.Add(plotter.NewGrid())
	// Room for the legend.
	g.X.Max++
	return true, g.Save(plotWidth, plotHeight, filepath.Join(dir, p.file))
}

// ratios has zero where a stack has no figure.
func (p plot) ratios(rows []*measure.Outcome, stack string) plotter.Values {
	values := make(plotter.Values, len(rows))
	for i, o := range rows {
		if cell := o.Cell(stack); cell != nil {
			if ratio, has := cell.Ratio(o.Cell(measure.Baseline), p.metric); has {
				values[i] = ratio.Median
			}
		}
	}
	return values
}
