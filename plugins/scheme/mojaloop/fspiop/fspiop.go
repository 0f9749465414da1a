// Package fspiop holds the wire forms of FSPIOP 1.x that a DFSP needs, as pure
// functions: headers, identifiers, timestamps, parties and errors. What is done
// with them is the connector's business; amounts are in package money.
//
// The forms are those the reference validators accept. They are stricter than they
// look: a UUID in upper case or of version 7, a timestamp without exactly three
// decimals and an amount with a trailing zero are all refused.
package fspiop

import (
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// Date is the RFC 7231 form of the Date header.
const Date = "Mon, 02 Jan 2006 15:04:05 GMT"

// timeForm has exactly three decimals; FSPIOP accepts no other number of them.
const timeForm = "2006-01-02T15:04:05.000Z07:00"

// FormatTime writes a timestamp in UTC.
func FormatTime(t time.Time) string { return t.UTC().Format(timeForm) }

// ParseTime reads a timestamp with three decimals and a zone.
func ParseTime(s string) (time.Time, bool) {
	// time.Parse alone takes any number of decimals, a comma before them, and a sign
	// among them.
	if !shaped(s, "0000-00-00T00:00:00.000Z") && !shaped(s, "0000-00-00T00:00:00.000+00:00") &&
		!shaped(s, "0000-00-00T00:00:00.000-00:00") {
		return time.Time{}, false
	}
	t, err := time.Parse(timeForm, s)
	return t, err == nil
}

// shaped reports whether s has a digit wherever the form has one and is equal to it
// elsewhere.
func shaped(s, form string) bool {
	if len(s) != len(form) {
		return false
	}
	for i := range len(form) {
		if digit := s[i] >= '0' && s[i] <= '9'; form[i] == '0' && !digit || form[i] != '0' && s[i] != form[i] {
			return false
		}
	}
	return true
}

// ValidID reports whether s is a CorrelationId: a lower-case UUID of version 1 to 5.
func ValidID(s string) bool {
	if len(s) != 36 || s[14] < '1' || s[14] > '5' || !strings.Contains("89ab", s[19:20]) {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !strings.Contains("0123456789abcdef", s[i:i+1]) {
			return false
		}
	}
	return true
}

// ValidDigest reports whether s has the form of a condition or fulfilment: 43
// characters of base64url.
func ValidDigest(s string) bool {
	if len(s) != 43 {
		return false
	}
	for i := range len(s) {
		switch b := s[i]; {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '-', b == '_':
		default:
			return false
		}
	}
	return true
}

// ValidFSP reports whether s may be an FSP id.
func ValidFSP(s string) bool { return s != "" && utf8.RuneCountInString(s) <= 32 }

// PartyIDInfo names a party.
type PartyIDInfo struct {
	Type  string `json:"partyIdType"`
	ID    string `json:"partyIdentifier"`
	SubID string `json:"partySubIdOrType,omitempty"`
	FSP   string `json:"fspId,omitempty"`
}

// idTypes are FSPIOP 1.1's.
const idTypes = " MSISDN EMAIL PERSONAL_ID BUSINESS DEVICE ACCOUNT_ID IBAN ALIAS "

// Valid reports whether the party is named as FSPIOP demands, its FSP aside.
func (p PartyIDInfo) Valid() bool {
	return p.Type != "" && !strings.Contains(p.Type, " ") && strings.Contains(idTypes, " "+p.Type+" ") &&
		p.ID != "" && utf8.RuneCountInString(p.ID) <= 128 && utf8.RuneCountInString(p.SubID) <= 128
}

// Same reports whether both name one party. An MSISDN may be written with a plus.
func (p PartyIDInfo) Same(other PartyIDInfo) bool {
	if p.Type == "MSISDN" {
		p.ID, other.ID = strings.TrimPrefix(p.ID, "+"), strings.TrimPrefix(other.ID, "+")
	}
	return p.Type == other.Type && p.ID == other.ID && p.SubID == other.SubID
}

// Path is the party's resource.
func (p PartyIDInfo) Path() string {
	path := "/parties/" + url.PathEscape(p.Type) + "/" + url.PathEscape(p.ID)
	if p.SubID != "" {
		path += "/" + url.PathEscape(p.SubID)
	}
	return path
}

// MediaType is the media type of a resource in a version: "1.1" in a Content-Type,
// "1" in an Accept.
func MediaType(resource, version string) string {
	return "application/vnd.interoperability." + resource + "+json;version=" + version
}

// Speaks reports whether a Content-Type is of this resource in a version we read,
// which is any 1.x.
func Speaks(contentType, resource string) bool {
	rest, ok := strings.CutPrefix(contentType, "application/vnd.interoperability."+resource+"+json")
	if !ok {
		return false
	}
	rest = strings.TrimLeft(rest, " ")
	rest, ok = strings.CutPrefix(rest, ";")
	if !ok {
		return false
	}
	version, _, _ := strings.Cut(strings.TrimLeft(rest, " "), ";")
	return version == "version=1" || strings.HasPrefix(version, "version=1.")
}
