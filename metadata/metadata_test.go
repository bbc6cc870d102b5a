package metadata

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func TestOrderAndDuplicates(t *testing.T) {
	var md MD
	md.Add("b", "1")
	md.Add("A", "2")
	md.Add("b", "3")
	if got := slices.Collect(md.Values("B")); !slices.Equal(got, []string{"1", "3"}) {
		t.Errorf("Values(B) = %q, want the two values of b in order", got)
	}
	if v, ok := md.Get("a"); v != "2" || !ok {
		t.Errorf("Get(a) = %q, %v: names must be compared in lower case", v, ok)
	}
	if v, ok := md.Get("c"); v != "" || ok {
		t.Errorf("Get(c) = %q, %v of a name that is not there", v, ok)
	}
	var all []string
	for name, value := range md.All() {
		all = append(all, name+value)
	}
	if want := []string{"b1", "a2", "b3"}; !slices.Equal(all, want) {
		t.Errorf("All() = %q, want %q", all, want)
	}
	for range md.All() {
		break // an iterator that goes on after this panics
	}
	for range md.Values("b") {
		break
	}
}

func TestSetAndDel(t *testing.T) {
	md := MD{{Name: "x", Value: "1"}, {Name: "y", Value: "2"}, {Name: "x", Value: "3"}}
	backing := md[:3]
	md.Del("X")
	if len(md) != 1 || md[0].Value != "2" {
		t.Fatalf("after Del: %d fields", len(md))
	}
	if backing[1].Value != "" || backing[2].Value != "" {
		t.Error("Del keeps the values that it removed reachable")
	}
	md.Set("y", "4")
	if len(md) != 1 || md[0].Value != "4" {
		t.Errorf("after Set: %d fields, want one", len(md))
	}
}

func TestClone(t *testing.T) {
	if MD(nil).Clone() != nil {
		t.Error("a clone of nil is not nil")
	}
	md := MD{{Name: "x", Value: "1"}}
	c := md.Clone()
	c[0].Value = "2"
	c.Add("y", "3")
	if md[0].Value != "1" || len(md) != 1 {
		t.Error("a change of the clone changed the original")
	}
}

// What is printed ends up in logs: no way of printing may show a value.
func TestValuesAreNotPrinted(t *testing.T) {
	const secret = "hunter2"
	md := MD{{Name: "authorization", Value: secret}}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "md", md, "field", md[0])
	}
	for _, s := range []string{
		log.String(), md.String(), md[0].String(),
		fmt.Sprint(md), fmt.Sprintf("%v %+v %#v %q %s %x", md, md, md, md, md, md),
		fmt.Sprintf("%v %+v %#v %q %s %x", md[0], md[0], md[0], md[0], md[0], md[0]),
		fmt.Sprintf("%v", struct{ MD MD }{md}),
	} {
		if strings.Contains(s, secret) || strings.Contains(s, fmt.Sprintf("%x", secret)) {
			t.Errorf("%q shows a value", s)
		}
		if !strings.Contains(s, "authorization") {
			t.Errorf("%q does not name the field", s)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	md := MD{{Name: "x", Value: "1"}, {Name: "y", Value: "2"}}
	if n := testing.AllocsPerRun(100, func() { md.Get("y") }); n != 0 {
		t.Errorf("Get allocates %v times", n)
	}
}
