package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Personal data is masked in everything the API answers but RevealEvents (reveal.go).
// A value is masked when the name it stands under says what it is, or when it looks
// like a card number, an IBAN or a telephone number wherever it stands. What cannot be
// walked (a body that is neither JSON nor a form) is described and not shown. A name of a person in
// a sentence somebody else wrote cannot be recognised; connectors keep such
// sentences out of their codes and reasons.

// masker masks; its zero value knows the names below.
type masker struct {
	extra []string // further names, normalised
}

// newMasker adds names, such as those a connector's manifest calls sensitive.
func newMasker(names []string) *masker {
	m := &masker{}
	for _, n := range names {
		m.extra = append(m.extra, normal(n))
	}
	return m
}

// Names under which a value is masked: when the normalised name contains one of
// parts, or is one of wholes.
var (
	sensitiveParts = []string{
		"msisdn", "iban", "account", "phone", "mobile", "email", "address", "birth", "partyident", "partyid", "partysubid", "personal",
		"passport", "nationalid", "taxid", "firstname", "lastname", "middlename", "fullname", "displayname", "givenname", "familyname",
		"surname", "payername", "payeename", "customername", "clientname", "holdername", "beneficiary", "cardnumber", "cardholder",
		"password", "secret", "authorization", "credential", "securitycode", "tracktwo", "track2", "track1", "pinblock", "ilppacket",
		"signature", "geocode", "latitude", "longitude", "customdata", "extensionlist", "merchantname", "debtor", "creditor",
	}
	sensitiveWholes = []string{"name", "pan", "pin", "cvv", "cvc", "otp", "dob", "note", "token", "cookie", "setcookie", "payer", "payee"}
	// structural names hold objects whose fields decide for themselves; a plain
	// value under them is masked.
	structural = []string{"payer", "payee", "debtor", "creditor", "beneficiary", "partyidinfo", "personalinfo", "complexname", "geocode", "party"}
	// identifying names hold ids that people search by; unless they look like a card
	// number they stay.
	identifying = []string{"transactionid", "clientcorrelationid", "correlationid", "clientrefid", "quoteid", "transferid", "transactionrequestid",
		"batchid", "subbatchid", "requestid", "externalid", "endtoendid", "uetr", "transfercode", "idempotencykey", "xcorrelationid", "origindate"}
	// harmless names would match a part above but say nothing about a person.
	harmless = []string{"partyidtype", "accountstatus", "accounttype", "addresstype", "accountcurrency", "partyidentifiertype"}
)

// normal is a name in lower case without separators: party_id and partyId alike.
func normal(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

func (m *masker) sensitive(name string) bool {
	n := normal(name)
	if slices.Contains(harmless, n) {
		return false
	}
	if slices.Contains(sensitiveWholes, n) || slices.Contains(m.extra, n) {
		return true
	}
	for _, part := range sensitiveParts {
		if strings.Contains(n, part) {
			return true
		}
	}
	return false
}

// hide is what remains of a value that is masked: nothing, or of a long number
// its last four digits, so that people can compare.
func hide(s string) string {
	digits, other := 0, 0
	for _, r := range s {
		switch {
		case unicode.IsDigit(r):
			digits++
		case r != ' ' && r != '-' && r != '+':
			other++
		}
	}
	if s == "" {
		return ""
	}
	if digits >= 8 && other <= 4 {
		return "***" + s[len(s)-min(4, trailing(s)):]
	}
	return "***"
}

// trailing counts the ASCII digits and letters at the end.
func trailing(s string) int {
	n := 0
	for n < len(s) && s[len(s)-1-n] < utf8.RuneSelf && s[len(s)-1-n] > ' ' {
		n++
	}
	return n
}

var (
	// A run of digits with single spaces or dashes between them, not part of a
	// longer word such as a UUID.
	digitRun = regexp.MustCompile(`\+?[0-9](?:[ -]?[0-9]){7,30}`)
	ibanRun  = regexp.MustCompile(`[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?`)
	// UUIDs and hashes are left as they are: their digits are nobody's.
	opaque = regexp.MustCompile(`(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,}`)
	// Dates and times likewise.
	moment = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)?`)
)

// text masks what looks like personal data in a text of any kind.
func (m *masker) text(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if !strings.ContainsAny(s, "0123456789") {
		return s
	}
	var out strings.Builder
	at := 0
	for _, keep := range spans(s, opaque, moment) {
		out.WriteString(maskRuns(s[at:keep[0]]))
		out.WriteString(s[keep[0]:keep[1]])
		at = keep[1]
	}
	out.WriteString(maskRuns(s[at:]))
	return out.String()
}

// spans are the matches of any of the patterns that are whole words, in order.
func spans(s string, patterns ...*regexp.Regexp) [][]int {
	var out [][]int
	for _, p := range patterns {
		for _, at := range p.FindAllStringIndex(s, -1) {
			if word(s, at) && (hasLetter(s[at[0]:at[1]]) || p == moment || strings.Count(s[at[0]:at[1]], "-") == 4) {
				out = append(out, at)
			}
		}
	}
	slices.SortFunc(out, func(a, b []int) int { return a[0] - b[0] })
	kept := out[:0]
	end := 0
	for _, at := range out {
		if at[0] >= end {
			kept = append(kept, at)
			end = at[1]
		}
	}
	return kept
}

func hasLetter(s string) bool { return strings.ContainsFunc(s, unicode.IsLetter) }

// word reports whether a match is not part of a longer word.
func word(s string, at []int) bool {
	before, after := at[0] == 0, at[1] == len(s)
	if !before {
		r, _ := utf8.DecodeLastRuneInString(s[:at[0]])
		before = !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	if !after {
		r, _ := utf8.DecodeRuneInString(s[at[1]:])
		after = !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	return before && after
}

func maskRuns(s string) string {
	s = ibanRun.ReplaceAllStringFunc(s, func(run string) string {
		if iban(run) {
			return hide(run)
		}
		return run
	})
	return digitRun.ReplaceAllStringFunc(s, func(run string) string {
		n := 0
		for _, r := range run {
			if r >= '0' && r <= '9' {
				n++
			}
		}
		// Telephone numbers have 8 to 15 digits, cards 13 to 19; longer runs hide
		// one in their middle.
		if n < 9 && run[0] != '+' {
			return run
		}
		return hide(run)
	})
}

// iban checks the two digits that ISO 7064 puts behind the country.
func iban(s string) bool {
	s = strings.ReplaceAll(s, " ", "")
	if len(s) < 15 || len(s) > 34 {
		return false
	}
	rest := 0
	for _, r := range s[4:] + s[:4] {
		switch {
		case r >= '0' && r <= '9':
			rest = (rest*10 + int(r-'0')) % 97
		case r >= 'A' && r <= 'Z':
			rest = (rest*100 + int(r-'A') + 10) % 97
		default:
			return false
		}
	}
	return rest == 1
}

const (
	jsonDepthMax = 64
	// textInJSONMax bounds texts that are looked into for JSON of their own.
	textInJSONMax = 1 << 20
)

// json masks a JSON text that stands under a name ("" for none). It is not ok when
// the text is no JSON or is nested too deeply; then nothing of it may be shown.
func (m *masker) json(name string, raw []byte) (string, bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var out bytes.Buffer
	if !m.value(dec, &out, name, m.sensitive(name), 0) {
		return "", false
	}
	if dec.More() {
		return "", false
	}
	return out.String(), true
}

// value copies the next value token by token, so that the order of fields stays.
func (m *masker) value(dec *json.Decoder, out *bytes.Buffer, name string, masked bool, depth int) bool {
	if depth > jsonDepthMax {
		return false
	}
	token, err := dec.Token()
	if err != nil {
		return false
	}
	switch t := token.(type) {
	case json.Delim:
		if t != '{' && t != '[' {
			return false
		}
		// What is under a sensitive name is masked throughout, but for names that
		// only hold a structure.
		masked = masked && !slices.Contains(structural, normal(name))
		out.WriteByte(byte(t))
		for first := true; dec.More(); first = false {
			if !first {
				out.WriteByte(',')
			}
			child, childMasked := name, masked
			if t == '{' {
				key, err := dec.Token()
				if err != nil {
					return false
				}
				child = key.(string)
				childMasked = masked || m.sensitive(child)
				writeJSON(out, m.text(child))
				out.WriteByte(':')
			}
			if !m.value(dec, out, child, childMasked, depth+1) {
				return false
			}
		}
		end, err := dec.Token()
		if err != nil {
			return false
		}
		out.WriteByte(byte(end.(json.Delim)))
	case string:
		writeJSON(out, m.string(name, t, masked, depth))
	case json.Number:
		switch masking := m.text(t.String()); {
		case masked:
			writeJSON(out, hide(t.String()))
		case masking != t.String() && looksPersonal(t.String()):
			writeJSON(out, masking)
		default:
			out.WriteString(t.String())
		}
	case bool:
		fmt.Fprint(out, t)
	case nil:
		out.WriteString("null")
	}
	return true
}

// string masks a text in JSON. Payment Hub EE keeps whole requests as JSON in a
// text (channelRequest), so a text that is JSON is walked like the rest.
func (m *masker) string(name, s string, masked bool, depth int) string {
	if trimmed := strings.TrimSpace(s); len(trimmed) > 1 && len(s) <= textInJSONMax && (trimmed[0] == '{' || trimmed[0] == '[') {
		dec := json.NewDecoder(strings.NewReader(trimmed))
		dec.UseNumber()
		var inner bytes.Buffer
		if m.value(dec, &inner, name, masked, depth+1) && !dec.More() {
			return inner.String()
		}
		return "***"
	}
	if masked {
		return hide(s)
	}
	if slices.Contains(identifying, normal(name)) {
		return m.identifier(s)
	}
	return m.text(s)
}

// identifier leaves an id that people search by as it is, unless it looks like a
// card number.
func (m *masker) identifier(s string) string {
	if looksPersonal(s) {
		return hide(s)
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// looksPersonal keeps plain numbers such as amounts and times readable: of
// numbers without a name that says so, only what passes for a card is masked.
func looksPersonal(number string) bool {
	if len(number) < 13 || len(number) > 19 || strings.Trim(number, "0123456789") != "" {
		return false
	}
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func writeJSON(out *bytes.Buffer, s string) {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	out.Truncate(out.Len() - 1)
}

// body masks an HTTP body: JSON and forms are walked, anything else is described.
func (m *masker) body(contentType string, body []byte) string {
	if len(body) == 0 {
		return ""
	}
	if masked, ok := m.json("", body); ok {
		return masked
	}
	if strings.HasPrefix(strings.ToLower(contentType), "application/x-www-form-urlencoded") {
		if form, err := url.ParseQuery(string(body)); err == nil {
			return m.form(form).Encode()
		}
	}
	return fmt.Sprintf("(%d bytes, not shown)", len(body))
}

func (m *masker) form(form url.Values) url.Values {
	out := url.Values{}
	for name, values := range form {
		for _, v := range values {
			out.Add(m.text(name), m.string(name, v, m.sensitive(name), 0))
		}
	}
	return out
}

// path masks a request's path and query: numbers that look personal, and
// whatever follows the name of an identifier type, as in /parties/MSISDN/277….
func (m *masker) path(path string) string {
	path, rawQuery, hasQuery := strings.Cut(path, "?")
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			plain = segment
		}
		masked := m.text(plain)
		if i > 0 && identifierType(segments[i-1]) || subIdentifier(segments, i) {
			masked = hide(plain)
		}
		if masked != plain {
			segments[i] = strings.ReplaceAll(url.PathEscape(masked), "%2A", "*")
		}
	}
	path = strings.Join(segments, "/")
	if !hasQuery {
		return path
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return path + "?***"
	}
	return path + "?" + strings.ReplaceAll(m.form(query).Encode(), "%2A", "*")
}

// identifierType reports whether what follows in a path identifies a party:
// FSPIOP's and Payment Hub EE's identifier types, and the resources of accounts.
func identifierType(segment string) bool {
	switch strings.ToUpper(segment) {
	case "MSISDN", "EMAIL", "PERSONAL_ID", "BUSINESS", "DEVICE", "ACCOUNT_ID", "ACCOUNTID", "IBAN", "ALIAS",
		"ACCOUNTS", "ACCOUNTNO", "ACCOUNTNUMBER", "CUSTOMERS", "CLIENTS", "PHONE":
		return true
	}
	return false
}

// subIdentifier reports whether a segment narrows a party down, as Jane does in
// FSPIOP's /parties/BUSINESS/Shoes/Jane.
func subIdentifier(segments []string, i int) bool {
	return i >= 3 && (segments[i-3] == "parties" || segments[i-3] == "participants") && identifierType(segments[i-2]) && segments[i] != "error"
}

// header masks a header's value.
func (m *masker) header(name, value string) string {
	if m.sensitive(name) || normal(name) == "xapikey" {
		return "***"
	}
	return m.text(value)
}
