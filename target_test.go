package yodel

import (
	"strings"
	"testing"
)

// Every form of a target, and what a user who mistypes one is told.
func TestParseTarget(t *testing.T) {
	good := []struct{ text, authority, endpoints string }{
		{"localhost:7073", "localhost:7073", "tcp localhost:7073 localhost"},
		{"[::1]:443", "[::1]:443", "tcp [::1]:443 ::1"},
		{"dns:///example.com:443", "example.com:443", "tcp example.com:443 example.com"},
		{"dns:example.com:443", "example.com:443", "tcp example.com:443 example.com"},
		{"a:1,b:2", "a:1", "tcp a:1 a|tcp b:2 b"},
		{"a:1, b:2", "a:1", "tcp a:1 a|tcp b:2 b"},
		{"unix:rel/path.sock", "localhost", "unix rel/path.sock localhost"},
		{"unix:///tmp/x.sock", "localhost", "unix /tmp/x.sock localhost"},
		{"unix:/tmp/x.sock", "localhost", "unix /tmp/x.sock localhost"},
		{"unix-abstract:name", "localhost", "unix @name localhost"},
	}
	for _, c := range good {
		got, err := parseTarget(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		var endpoints []string
		for _, e := range got.endpoints {
			endpoints = append(endpoints, e.Network+" "+e.Address+" "+e.ServerName)
		}
		if got.authority != c.authority || strings.Join(endpoints, "|") != c.endpoints {
			t.Errorf("%q: authority %q, endpoints %q; want %q, %q", c.text, got.authority, endpoints, c.authority, c.endpoints)
		}
	}
	bad := []struct{ text, says string }{
		{"", "empty address"},
		{"localhost", "no host:port"},
		{":80", "names no host"},
		{"host:", "port"},
		{"host:0", "port"},
		{"host:99999", "port"},
		{"host:http", "port"},
		{"::1", "port"},
		{"fe80::1:80", "without a port"},
		{"a:1,", "empty address"},
		{"user@host:80", "does not belong"},
		{"ho st:80", "does not belong"},
		{"xds:///svc", "scheme \"xds\""},
		{"https://host:443", "scheme \"https\""},
		{"dns://8.8.8.8/host:80", "DNS server"},
		{"dns://", "no name"},
		{"unix:", "no path"},
		{"unix://host/path", "absolute"},
		{"unix-abstract:", "no socket name"},
	}
	for _, c := range bad {
		_, err := parseTarget(c.text)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "want ") {
			t.Errorf("%q: error is %v, want one that says %q and what is wanted", c.text, err, c.says)
		}
	}
}

// FuzzParseTarget: no target panics, and one that parses has an endpoint.
func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"a:1,b:2", "dns:///x:1", "unix:///a", "[::1]:1", "unix-abstract:", "dns://a/b:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseTarget(s)
		if err == nil && (len(got.endpoints) == 0 || got.authority == "") {
			t.Errorf("%q parses to nothing", s)
		}
	})
}

// The pauses of gRPC's connection backoff: 1 s, x1.6, at most 120 s, all with
// 20 % of jitter.
func TestBackoff(t *testing.T) {
	want := 1.0
	for failures := range 30 {
		low, high := 1e12, 0.0
		for range 200 {
			s := backoffAfter(failures).Seconds()
			low, high = min(low, s), max(high, s)
		}
		if low < want*0.8-1e-6 || high > want*1.2+1e-6 {
			t.Fatalf("after %d failures from %v to %v s, want %v s +- 20 %%", failures, low, high, want)
		}
		if high-low < want*0.2 {
			t.Errorf("after %d failures there is hardly any jitter: %v to %v", failures, low, high)
		}
		want = min(want*1.6, 120)
	}
}
