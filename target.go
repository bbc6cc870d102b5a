package yodel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/yodelrpc/yodel/transport"
)

// target is what a channel's target string says.
type target struct {
	text string
	// endpoints are tried in order. There is one at least.
	endpoints []transport.Endpoint
	// authority is what the server is called in requests.
	authority string
}

// targetError is a target that cannot be used.
type targetError struct {
	text    string
	problem string
}

func (e *targetError) Error() string {
	return "yodel: the target " + strconv.Quote(e.text) + " " + e.problem +
		`: want "host:port", "dns:///host:port", "unix:path", "unix:///absolute/path", "unix-abstract:name", or a list "a:1,b:2"`
}

// parseTarget parses a target; see NewChannel for its forms.
func parseTarget(text string) (target, error) {
	t := target{text: text}
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok {
		scheme = ""
	}
	var err error
	switch scheme {
	case "dns":
		err = t.parseDNS(rest)
	case "unix":
		err = t.parseUnix(rest)
	case "unix-abstract":
		if rest == "" {
			return t, &targetError{text, "has no socket name"}
		}
		t.addUnix("@" + rest)
	default:
		if strings.HasPrefix(rest, "//") {
			return t, &targetError{text, "has the scheme " + strconv.Quote(scheme) + ", which this library does not have"}
		}
		err = t.parseList(text)
	}
	if err != nil {
		return t, &targetError{text, err.Error()}
	}
	return t, nil
}

// parseDNS parses what follows "dns:": "host:port" or "///host:port".
func (t *target) parseDNS(rest string) error {
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		server, name, ok := strings.Cut(after, "/")
		if server != "" {
			return fmt.Errorf("names the DNS server %q, which cannot be chosen", server)
		}
		if !ok {
			return errors.New("has no name after dns://")
		}
		rest = name
	}
	return t.parseList(rest)
}

func (t *target) parseUnix(rest string) error {
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		if !strings.HasPrefix(after, "/") {
			return errors.New("has a host: a unix socket's path is absolute after unix://")
		}
		rest = after
	}
	if rest == "" {
		return errors.New("has no path")
	}
	if strings.IndexByte(rest, 0) >= 0 {
		return errors.New("has a NUL in its path")
	}
	t.addUnix(rest)
	return nil
}

func (t *target) addUnix(address string) {
	t.authority = "localhost"
	t.endpoints = append(t.endpoints, transport.Endpoint{Network: "unix", Address: address, ServerName: "localhost"})
}

// parseList parses "host:port" and "host:port,host:port".
func (t *target) parseList(list string) error {
	for address := range strings.SplitSeq(list, ",") {
		address = strings.TrimSpace(address)
		host, err := splitAddress(address)
		if err != nil {
			return err
		}
		if t.authority == "" {
			t.authority = address
		}
		t.endpoints = append(t.endpoints, transport.Endpoint{Network: "tcp", Address: address, ServerName: host})
	}
	return nil
}

// splitAddress returns the host of "host:port".
func splitAddress(address string) (host string, err error) {
	if address == "" {
		return "", errors.New("has an empty address")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		if _, err := netip.ParseAddr(address); err == nil {
			return "", fmt.Errorf("has the address %q without a port (an IPv6 address with one is in brackets, as in \"[::1]:443\")", address)
		}
		return "", fmt.Errorf("has the address %q, which is no host:port", address)
	}
	if host == "" {
		return "", fmt.Errorf("has the address %q, which names no host", address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("has the port %q: a port is a number from 1 to 65535", port)
	}
	if i := strings.IndexFunc(host, badInHost); i >= 0 {
		return "", fmt.Errorf("has the host %q: %q does not belong there", host, host[i])
	}
	return host, nil
}

// badInHost tells what may not be in a host: userinfo, spaces and the like
// (RFC 9113 §8.3.1 excludes userinfo from :authority).
func badInHost(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("@/?#\\\"<>^`{|}", r)
}
