package caller

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file holds the kinds that share a secret with their callers. Whatever is
// compared is compared in constant time, and with every key, so that the time taken
// tells neither how much of a key was right nor which it was.

// same compares two secrets by their digests, which have one length.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func newAPIKey(in reader) (*Rule, error) {
	var c struct {
		Kind   string `json:"kind"`
		Header string `json:"header"`
		Keys   []key  `json:"keys"`
	}
	if err := in.into(&c); err != nil {
		return nil, err
	}
	name, err := header(c.Header, "X-API-Key")
	if err != nil {
		return nil, err
	}
	if err := in.keys(c.Keys); err != nil {
		return nil, err
	}
	return &Rule{Credential: name, identify: func(in *Request) (string, error) {
		sent, err := only(in, name)
		if err != nil {
			return "", err
		}
		principal := ""
		for _, k := range c.Keys {
			if same(sent, k.file.Value()) {
				principal = k.Principal
			}
		}
		if principal == "" {
			return "", wrong
		}
		return principal, nil
	}}, nil
}

func newBasic(in reader) (*Rule, error) {
	type user struct {
		Name   string `json:"name"`
		Secret string `json:"secret"`
	}
	var c struct {
		Kind  string `json:"kind"`
		Users []user `json:"users"`
	}
	if err := in.into(&c); err != nil {
		return nil, err
	}
	var keys []key
	for _, u := range c.Users {
		if u.Name == "" || strings.Contains(u.Name, ":") {
			return nil, fmt.Errorf("user %q: a name is not empty and has no colon", u.Name)
		}
		keys = append(keys, key{Secret: u.Secret, Principal: u.Name})
	}
	if err := in.keys(keys); err != nil {
		return nil, err
	}
	return &Rule{
		Credential: "authorization", Challenge: `Basic realm="railhead", charset="UTF-8"`,
		identify: func(in *Request) (string, error) {
			name, password, err := basicCredential(in)
			if err != nil {
				return "", err
			}
			principal := ""
			for _, k := range keys {
				// Both are compared, whatever the first comparison says.
				if known, right := same(name, k.Principal), same(password, k.file.Value()); known && right {
					principal = k.Principal
				}
			}
			if principal == "" {
				return "", wrong
			}
			return principal, nil
		},
	}, nil
}

// basicCredential reads the header of RFC 7617.
func basicCredential(in *Request) (name, password string, err error) {
	sent, err := only(in, "authorization")
	if err != nil {
		return "", "", err
	}
	scheme, encoded, _ := strings.Cut(sent, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", missing
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return "", "", malformed
	}
	name, password, ok := strings.Cut(string(plain), ":")
	if !ok {
		return "", "", malformed
	}
	return name, password, nil
}

// signed is a signature's rule read in.
type signed struct {
	keys           []key
	header, prefix string
	timestamp      string
	tolerance      time.Duration
	parts          []string // body last
	separator      string
	hash           func() hash.Hash
	decode         func(string) ([]byte, error)
}

const (
	toleranceDefault = 5 * time.Minute
	toleranceMax     = time.Hour
)

func newHMAC(in reader) (*Rule, error) {
	var c struct {
		Kind            string   `json:"kind"`
		Keys            []key    `json:"keys"`
		Header          string   `json:"header"`
		Prefix          string   `json:"prefix"`
		Encoding        string   `json:"encoding"`
		Algorithm       string   `json:"algorithm"`
		TimestampHeader string   `json:"timestamp_header"`
		ToleranceMS     int64    `json:"tolerance_ms"`
		Signed          []string `json:"signed"`
		Separator       string   `json:"separator"`
	}
	err := in.into(&c)
	if err != nil {
		return nil, err
	}
	s := &signed{keys: c.Keys, prefix: c.Prefix, tolerance: time.Duration(c.ToleranceMS) * time.Millisecond, parts: c.Signed}
	if s.header, err = header(c.Header, "X-Signature"); err != nil {
		return nil, err
	}
	if s.timestamp, err = header(c.TimestampHeader, "X-Timestamp"); err != nil {
		return nil, err
	}
	switch c.Encoding {
	case "", "hex":
		s.decode = hex.DecodeString
	case "base64":
		s.decode = base64.StdEncoding.DecodeString
	default:
		return nil, fmt.Errorf("encoding %q is neither hex nor base64", c.Encoding)
	}
	switch c.Algorithm {
	case "", "sha256":
		s.hash = sha256.New
	case "sha512":
		s.hash = sha512.New
	default:
		return nil, fmt.Errorf("algorithm %q is neither sha256 nor sha512", c.Algorithm)
	}
	if c.ToleranceMS == 0 {
		s.tolerance = toleranceDefault
	}
	if c.ToleranceMS < 0 || c.ToleranceMS > toleranceMax.Milliseconds() {
		return nil, fmt.Errorf("tolerance_ms is %d; up to %d are allowed", c.ToleranceMS, toleranceMax.Milliseconds())
	}
	if len(s.parts) == 0 {
		s.parts = []string{"timestamp", "method", "path", "body"}
	}
	for i, part := range s.parts {
		if !slices.Contains([]string{"timestamp", "method", "path", "body"}, part) || slices.Contains(s.parts[:i], part) {
			return nil, fmt.Errorf("signed: %q is not one of timestamp, method, path and body, once each", part)
		}
	}
	if !slices.Contains(s.parts, "timestamp") || s.parts[len(s.parts)-1] != "body" {
		return nil, errors.New("signed: timestamp always is, and body, which is the last")
	}
	switch c.Separator {
	case "", "\n":
		s.separator = "\n"
	case ".":
		if s.separator = c.Separator; slices.Contains(s.parts, "path") {
			return nil, errors.New("separator: with a dot it could not be told where a path ends and a body begins")
		}
	default:
		return nil, fmt.Errorf("separator %q is neither a line feed nor a dot", c.Separator)
	}
	if err := in.keys(c.Keys); err != nil {
		return nil, err
	}
	return &Rule{Credential: s.header, Signed: true, identify: s.identify}, nil
}

func (s *signed) identify(in *Request) (string, error) {
	sent, err := only(in, s.header)
	if err != nil {
		return "", err
	}
	encoded, ok := strings.CutPrefix(sent, s.prefix)
	if !ok {
		return "", malformed
	}
	signature, err := s.decode(encoded)
	if err != nil {
		return "", malformed
	}
	at, err := only(in, s.timestamp)
	if err != nil {
		return "", err
	}
	when, ok := parseTimestamp(at)
	if !ok {
		return "", malformed
	}
	principal := ""
	for _, k := range s.keys {
		mac := hmac.New(s.hash, []byte(k.file.Value()))
		s.write(mac, in, at)
		if hmac.Equal(mac.Sum(nil), signature) {
			principal = k.Principal
		}
	}
	switch {
	case principal == "":
		return "", wrong
	case in.Now.Sub(when).Abs() > s.tolerance:
		return "", expired
	}
	return principal, nil
}

// write writes what is signed. It can be read in one way only: a time is digits, a
// method and a path have no line feed, and the body is the last.
func (s *signed) write(to hash.Hash, in *Request, at string) {
	for i, part := range s.parts {
		if i > 0 {
			to.Write([]byte(s.separator))
		}
		switch part {
		case "timestamp":
			to.Write([]byte(at))
		case "method":
			to.Write([]byte(in.Method))
		case "path":
			to.Write([]byte(in.Path))
			if in.Query != "" {
				to.Write([]byte("?" + in.Query))
			}
		case "body":
			to.Write(in.Body)
		}
	}
}

// parseTimestamp reads seconds or milliseconds since 1970-01-01 UTC, by their size.
func parseTimestamp(text string) (time.Time, bool) {
	if len(text) < 9 || len(text) > 14 || strings.Trim(text, "0123456789") != "" {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	if len(text) <= 11 {
		return time.Unix(n, 0), true
	}
	return time.UnixMilli(n), true
}
