package secret

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"
)

// Named is a secret's name and value.
type Named struct{ Name, Value string }

// Scrubber replaces secrets by their references in what comes back from outside. A
// peer that shows what it was sent would otherwise put a secret into the guest's
// memory, the log of commands and Kafka. It finds a secret
//
//   - as it is, whatever the case of its letters, also when it is wrapped over lines;
//   - in base64 and base64url, alone or within something longer;
//   - in hexadecimal;
//   - decoded, when the secret is itself base64, as a Basic credential is: the whole,
//     and the password behind its colon;
//   - all of these with any of their characters escaped as in a URL, in JSON or
//     JavaScript, in HTML or XML, or in quoted-printable;
//   - in pieces that are spread over the headers of one response.
//
// It is a net against peers that are careless. A peer that wants to tell a guest what
// it was sent, and is its accomplice, can always do so in a way that no net knows.
//
// A nil Scrubber changes nothing. It is safe for concurrent use.
type Scrubber struct {
	needles []needle // the longest first
	// by lists the needles that begin with a byte.
	by     [256][]int
	values []Named // lower case, for pieces
}

// needle is one form of a secret, in lower case.
type needle struct {
	text, ref string
}

// NewScrubber makes a Scrubber; nil when there are no values.
func NewScrubber(values []Named) *Scrubber {
	if len(values) == 0 {
		return nil
	}
	s := new(Scrubber)
	seen := make(map[string]bool)
	for _, v := range values {
		ref := "{{secret:" + v.Name + "}}"
		s.values = append(s.values, Named{ref, lower(v.Value)})
		for _, form := range forms(v.Value) {
			form = lower(form)
			if len(form) < ValueMin || seen[form] {
				continue
			}
			seen[form] = true
			s.needles = append(s.needles, needle{form, ref})
		}
	}
	slices.SortStableFunc(s.needles, func(a, b needle) int { return len(b.text) - len(a.text) })
	for i, n := range s.needles {
		s.by[n.text[0]] = append(s.by[n.text[0]], i)
	}
	return s
}

// forms are the ways a secret may be written, but for escapes.
func forms(value string) []string {
	out := append([]string{value}, encodings(value)...)
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		plain, err := enc.DecodeString(value)
		if err != nil || len(plain) < ValueMin || !utf8.Valid(plain) {
			continue
		}
		out = append(append(out, string(plain)), encodings(string(plain))...)
		if _, password, ok := strings.Cut(string(plain), ":"); ok && len(password) >= ValueMin {
			out = append(append(out, password), encodings(password)...)
		}
		break
	}
	return out
}

func encodings(value string) []string {
	raw := []byte(value)
	out := []string{hex.EncodeToString(raw)}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		out = append(out, enc.EncodeToString(raw), enc.WithPadding(base64.NoPadding).EncodeToString(raw))
		// Within something longer a secret begins at any of three places of a group. The
		// characters that it shares with its neighbours differ, those between do not.
		for before, shared := range []int{0, 2, 3} {
			all := enc.EncodeToString(append(make([]byte, before), raw...))
			out = append(out, all[shared:8*(before+len(raw))/6])
		}
	}
	return out
}

// String is text without secrets.
func (s *Scrubber) String(text string) string {
	if s == nil {
		return text
	}
	var out strings.Builder
	done := 0
	for i := 0; i < len(text); {
		end, ref := s.at(text, i)
		if end < 0 {
			i++
			continue
		}
		out.WriteString(text[done:i])
		out.WriteString(ref)
		i, done = end, end
	}
	if done == 0 {
		return text
	}
	out.WriteString(text[done:])
	return out.String()
}

// at finds the secret that is written at a place of the text, and where it ends.
func (s *Scrubber) at(text string, i int) (end int, ref string) {
	end = -1
	try := func(first byte) {
		for _, n := range s.by[first] {
			branches := branchesMax
			if to := match(text, i, s.needles[n].text, 0, &branches); to > end {
				end, ref = to, s.needles[n].ref
			}
		}
	}
	first := fold[text[i]]
	try(first)
	if special[text[i]] {
		escapes(text, i, func(decoded string, _ int) {
			if decoded != "" && fold[decoded[0]] != first {
				try(fold[decoded[0]])
			}
		})
	}
	return end, ref
}

// branchesMax bounds what a text made to be ambiguous can cost. An escape is
// ambiguous only where the secret itself looks like one.
const branchesMax = 1 << 12

// match follows a needle from a place of the text, through escapes and breaks of
// lines, and returns where it ends; -1: it is not there.
func match(text string, i int, needle string, k int, branches *int) int {
	for k < len(needle) {
		if i >= len(text) {
			return -1
		}
		c := text[i]
		if !special[c] {
			if fold[c] != needle[k] {
				return -1
			}
			i, k = i+1, k+1
			continue
		}
		if *branches--; *branches < 0 {
			return -1
		}
		end := -1
		if fold[c] == needle[k] {
			end = match(text, i+1, needle, k+1, branches)
		}
		if end < 0 {
			escapes(text, i, func(decoded string, size int) {
				switch {
				case end >= 0:
				case decoded == "" && k > 0:
					end = match(text, i+size, needle, k, branches)
				case decoded != "" && strings.HasPrefix(needle[k:], lower(decoded)):
					end = match(text, i+size, needle, k+len(decoded), branches)
				}
			})
		}
		return end
	}
	return i
}

// Lines are the keys and values of a header, or anything else that comes in pieces:
// each is scrubbed by itself, and where a secret is spread over several, each loses
// its piece.
func (s *Scrubber) Lines(lines []string) []string {
	if s == nil {
		return lines
	}
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = s.String(line)
	}
	for _, v := range s.values {
		for _, piece := range pieces(out, v.Value) {
			for i, line := range out {
				out[i] = cutPiece(line, piece, v.Name)
			}
		}
	}
	return out
}

// pieceMin is the shortest piece of a secret that is taken for one, pieceCount how
// many a secret may be spread over.
const (
	pieceMin   = 4
	pieceCount = 16
)

// pieces are the parts of a secret, in order, that together make the whole of it and
// each of which is in some line; nil when a part is missing.
func pieces(lines []string, secret string) []string {
	var found []string
	for from := 0; from < len(secret); {
		if len(found) == pieceCount {
			return nil
		}
		longest := 0
		for _, line := range lines {
			longest = max(longest, common(line, secret[from:]))
		}
		if longest < min(pieceMin, len(secret)-from) {
			return nil
		}
		found = append(found, secret[from:from+longest])
		from += longest
	}
	return found
}

// common is the length of the longest beginning of the secret that is in the line.
func common(line, secret string) int {
	longest := 0
	for i := range len(line) {
		n := 0
		for n < len(secret) && i+n < len(line) && fold[line[i+n]] == secret[n] {
			n++
		}
		longest = max(longest, n)
	}
	return longest
}

// cutPiece replaces the piece wherever the line has it.
func cutPiece(line, piece, ref string) string {
	if len(piece) < pieceMin {
		return line
	}
	var out strings.Builder
	small := lower(line) // byte for byte
	for {
		at := strings.Index(small, piece)
		if at < 0 {
			out.WriteString(line)
			return out.String()
		}
		out.WriteString(line[:at])
		out.WriteString(ref)
		line, small = line[at+len(piece):], small[at+len(piece):]
	}
}

// fold is a byte in lower case.
var fold = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if i >= 'A' && i <= 'Z' {
			t[i] += 'a' - 'A'
		}
	}
	return t
}()

func lower(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = fold[b[i]]
	}
	return string(b)
}
