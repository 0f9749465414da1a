package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, dir, name, value string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "greenbank"), 0o700); err != nil {
		t.Fatal(err)
	}
	// As a mounted volume does it: another file takes the name.
	path := filepath.Join(dir, "greenbank", name)
	if err := os.WriteFile(path+".new", []byte(value), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	var logged bytes.Buffer
	store := NewStore(dir, slog.New(slog.NewTextHandler(&logged, nil)))
	write(t, dir, "token", "the-first-value\n")
	set, err := store.Set("greenbank", []string{"token"})
	if err != nil {
		t.Fatal(err)
	}
	sent := func() string {
		t.Helper()
		text, err := set.Fill("Bearer {{secret:token}}")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(text, "Bearer ")
	}
	if got := sent(); got != "the-first-value" {
		t.Fatalf("at first: %q", got)
	}

	write(t, dir, "token", "the-second-value")
	if got := sent(); got != "the-second-value" {
		t.Fatalf("after another file has taken the name: %q", got)
	}
	// An answer to a request from before may still show the old value.
	if got := set.Scrubber().String("was the-first-value, is the-second-value"); got != "was {{secret:token}}, is {{secret:token}}" {
		t.Errorf("scrubbed: %q", got)
	}

	path := filepath.Join(dir, "greenbank", "token")
	if err := os.WriteFile(path, []byte("the-third-value!"), 0o600); err != nil { // as long as the second
		t.Fatal(err)
	}
	if got := sent(); got != "the-third-value!" {
		t.Fatalf("after the file was written in place: %q", got)
	}

	for name, spoil := range map[string]func() error{
		"too short": func() error { return os.WriteFile(path, []byte("half"), 0o600) },
		"empty":     func() error { return os.Truncate(path, 0) },
		"too long":  func() error { return os.WriteFile(path, make([]byte, ValueMax+1), 0o600) },
		"a folder":  func() error { _ = os.Remove(path); return os.Mkdir(path, 0o700) },
		"missing":   func() error { return os.RemoveAll(path) },
	} {
		logged.Reset()
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if got := sent(); got != "the-third-value!" {
				t.Errorf("%s: %q", name, got)
			}
		}
		if n := strings.Count(logged.String(), "secret=token"); n != 1 {
			t.Errorf("%s: the log names the secret %d times, want once:\n%s", name, n, logged.String())
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "token", "the-third-value!")
		sent()
	}

	// A reader never sees a value that is half written, as far as it can be known:
	// the writer pauses for less than a file must be quiet.
	done := make(chan struct{})
	go func() {
		defer close(done)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return
		}
		defer f.Close()
		for _, part := range []string{"the-fourth", "-value", "-is-long"} {
			fmt.Fprint(f, part)
			time.Sleep(quiet / 10)
		}
	}()
	for stop := false; !stop; {
		select {
		case <-done:
			stop = true
		default:
		}
		if got := sent(); got != "the-third-value!" && got != "the-fourth-value-is-long" {
			t.Fatalf("half a secret was used: %q", got)
		}
	}
	if got := sent(); got != "the-fourth-value-is-long" {
		t.Errorf("in the end: %q", got)
	}
	for _, value := range []string{"the-first", "the-second", "the-third", "the-fourth"} {
		if strings.Contains(logged.String(), value) {
			t.Errorf("the log shows %s", value)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "token", "a-good-value")
	write(t, dir, "short", "x")
	store := NewStore(dir, nil)
	for _, c := range []struct{ tenant, name, says string }{
		{"greenbank", "missing", "not in secrets_dir"},
		{"greenbank", "short", "1 bytes"},
		{"greenbank", "../greenbank/token", "lower-case"},
		{"bluebank", "token", "not in secrets_dir"},
		{"../" + filepath.Base(dir) + "/greenbank", "token", "not the name of a folder"},
		{"..", "token", "not the name of a folder"},
	} {
		if _, err := store.Open(c.tenant, c.name); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s of %s: %v, want something about %q", c.name, c.tenant, err, c.says)
		}
	}
	if _, err := (*Store)(nil).Open("greenbank", "token"); err == nil {
		t.Error("no store has a secret")
	}
}

func TestFill(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "token", "a-good-value")
	set, err := NewStore(dir, nil).Set("greenbank", []string{"token", "token"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text, want string
		ok         bool
	}{
		{"plain", "plain", true},
		{"{{secret:token}}", "a-good-value", true},
		{"a {{secret:token}} b {{secret:token}}", "a a-good-value b a-good-value", true},
		{"{{secret:other}}", "", false},
		{"{{secret:token}} {{secret:other}}", "", false},
		{"{{secret:Token}}", "", false},
		{"{{secret:token", "", false},
		{"{{secret:}}", "", false},
		{"{{ secret:token }}", "", false},
		{"{{Secret:token}}", "", false},
		{"{{secrets.token}}", "", false},
		{"a {{template}}", "a {{template}}", true},
	} {
		got, err := set.Fill(c.text)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: %q, %v", c.text, got, err)
		}
	}
	// A guest that refers to a secret again and again would make this node hold as many.
	write(t, dir, "long", strings.Repeat("x", ValueMax))
	long, err := NewStore(dir, nil).Set("greenbank", []string{"long"})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = long.Fill(strings.Repeat("{{secret:long}}", 1000))
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; err == nil || took > 16<<20 {
		t.Errorf("a thousand references: %v, %d bytes", err, took)
	}
	if _, err := (*Set)(nil).Fill("{{secret:token}}"); err == nil {
		t.Error("a reference without any secret is sent as it stands")
	}
}

// disguises are ways in which peers show what they were sent.
var disguises = map[string]func(string) string{
	"as it is":           func(s string) string { return s },
	"upper case":         strings.ToUpper,
	"in a query":         url.QueryEscape,
	"in a path":          url.PathEscape,
	"percent throughout": func(s string) string { return each(s, "%%%02x") },
	"base64":             func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64url":          func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"base64 behind one":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte("u" + s + "tail")) },
	"base64 behind two":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte("u:" + s + ".")) },
	"base64url within":   func(s string) string { return base64.URLEncoding.EncodeToString([]byte("user:" + s + "\xff\xfe")) },
	"base64 in a query":  func(s string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s))) },
	"base64 in PHP's JSON": func(s string) string {
		return strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte(s)), "/", `\/`)
	},
	"base64 in lines": func(s string) string { return wrap(base64.StdEncoding.EncodeToString([]byte(s)), 7, "\r\n") },
	"folded":          func(s string) string { return wrap(s, 5, "\r\n ") },
	"lines in JSON":   func(s string) string { return wrap(s, 5, `\n`) },
	"hex":             func(s string) string { return hex.EncodeToString([]byte(s)) },
	"hex, upper case": func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
	"JSON":            func(s string) string { return each(s, `\u%04x`) },
	"JavaScript":      func(s string) string { return each(s, `\x%02X`) },
	"HTML":            html.EscapeString,
	"HTML, decimal":   func(s string) string { return each(s, "&#%d;") },
	"XML, hex":        func(s string) string { return each(s, "&#x%X;") },
	"quoted":          func(s string) string { return each(s, "=%02X") },
}

func each(s, format string) string {
	var out strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&out, format, s[i])
	}
	return out.String()
}

func wrap(s string, width int, by string) string {
	var parts []string
	for len(s) > width {
		parts, s = append(parts, s[:width]), s[width:]
	}
	return strings.Join(append(parts, s), by)
}

func TestScrubber(t *testing.T) {
	for _, value := range []string{"s3cr3t-t0ken/==", `pa"ss&wo<rd>%41+x y'\`, "%25%25%25%25%25%25", "0123456789", "correct horse battery"} {
		s := NewScrubber([]Named{{"token", value}})
		for name, disguise := range disguises {
			shown := disguise(value)
			got := s.String(`{"a": "` + shown + `"}`)
			if strings.Contains(got, shown) || !strings.Contains(got, "{{secret:token}}") {
				t.Errorf("%s of %q: %q", name, value, got)
			}
		}
		if got := s.String(value + " and " + value); got != "{{secret:token}} and {{secret:token}}" {
			t.Errorf("twice: %q", got)
		}
	}
	s := NewScrubber([]Named{{"token", "s3cr3t-t0ken/=="}})
	for _, innocent := range []string{"", "s3cr3t", "a page of %41 \\u0041 &amp; such", "s3cr3t-t0ken/"} {
		if got := s.String(innocent); got != innocent {
			t.Errorf("%q became %q", innocent, got)
		}
	}
	if got := (*Scrubber)(nil).String("x"); got != "x" {
		t.Errorf("no scrubber: %q", got)
	}
}

// TestBasicCredential: what a Basic header carries is base64, and a peer complains
// about the password that was in it.
func TestBasicCredential(t *testing.T) {
	value := base64.StdEncoding.EncodeToString([]byte("railhead:hunter22!"))
	s := NewScrubber([]Named{{"basic", value}})
	for _, shown := range []string{"railhead:hunter22!", "bad password hunter22!", "bad password hunter22%21", hex.EncodeToString([]byte("hunter22!"))} {
		if got := s.String(shown); !strings.Contains(got, "{{secret:basic}}") || strings.Contains(got, "hunter22") {
			t.Errorf("%q became %q", shown, got)
		}
	}
}

// TestOneSecretWithinAnother: of secrets that begin alike the longer one goes as
// a whole.
func TestOneSecretWithinAnother(t *testing.T) {
	var values []Named
	for i, name := range []string{"a", "b", "c", "d", "e", "f"} {
		values = append(values, Named{name, "shared-prefix" + strings.Repeat("-"+name, i)})
	}
	s := NewScrubber(values)
	for _, v := range values {
		if got := s.String("got " + v.Value); got != "got {{secret:"+v.Name+"}}" {
			t.Errorf("secret %s: %q", v.Name, got)
		}
	}
}

func TestPieces(t *testing.T) {
	s := NewScrubber([]Named{{"token", "kq83-zx71-mm02-pl55"}})
	for _, lines := range [][]string{
		{"kq83-zx71-", "mm02-pl55"},
		{"b: mm02-pl55", "a: KQ83-zx71-"},
		{"x kq83-z y", "x71-mm0", "is 2-pl55"},
	} {
		for _, line := range s.Lines(append([]string{"application/json"}, lines...)) {
			for _, piece := range []string{"kq83", "zx71-", "x71-", "mm0", "pl55"} {
				if strings.Contains(strings.ToLower(line), piece) {
					t.Errorf("%q: %q is left in %q", lines, piece, line)
				}
			}
		}
	}
	// A secret whose name is like it, as names are: every place is cut.
	named := NewScrubber([]Named{{"bank_token", "bank_tokenkq83zx71"}})
	for _, line := range named.Lines([]string{"a bank_token b bank_token c Bank_Token", "kq83zx71 kq83zx71"}) {
		if rest := strings.ToLower(strings.ReplaceAll(line, "{{secret:bank_token}}", "")); strings.Contains(rest, "bank") || strings.Contains(rest, "kq83") {
			t.Errorf("%q is left", line)
		}
	}
	// A part by itself is no secret: it may be anybody's word.
	for _, lines := range [][]string{{"kq83-zx71-"}, {"kq83", "pl55"}, {}} {
		if got := s.Lines(lines); strings.Join(got, "|") != strings.Join(lines, "|") {
			t.Errorf("%q became %q", lines, got)
		}
	}
}

// FuzzScrub: whatever a secret and the text around it are, no disguise of it
// survives, and nothing panics.
func FuzzScrub(f *testing.F) {
	f.Add("s3cr3t-t0ken/==", "before ", " after")
	f.Add(`pa"ss&wo<rd>%41`, `\`, `%`)
	f.Add("%25%25%25%25", "%2", "5&#")
	f.Add("aaaaaaaaaaaaaaaaaa", "\\u00", "41")
	f.Fuzz(func(t *testing.T, value, before, after string) {
		if len(value) < ValueMin || len(value) > 200 || len(before)+len(after) > 2000 ||
			strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return
		}
		s := NewScrubber([]Named{{"zz", value}})
		for name, disguise := range disguises {
			shown := disguise(value)
			got := s.String(before + shown + after)
			// What comes before may take the beginning of a secret for its own escape;
			// then the rest stays, and is not the secret.
			if !strings.Contains(before+after, shown) && strings.Contains(strings.ReplaceAll(got, "{{secret:zz}}", "\x00"), shown) &&
				!strings.Contains("{{secret:zz}}", shown) {
				t.Errorf("%s of %q in %q: %q", name, value, before+shown+after, got)
			}
			s.Lines([]string{before, shown, after})
		}
	})
}

func BenchmarkScrub(b *testing.B) {
	s := NewScrubber([]Named{{"token", "kq83-zx71-mm02-pl55"}, {"key", "0f9e8d7c6b5a4938"}})
	text := strings.Repeat(`{"transactionId":"5a1c2b3d-0000-4000-8000-1234567890ab","amount":"10.00","state":"COMMITTED"},`, 10)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		s.String(text)
	}
}
