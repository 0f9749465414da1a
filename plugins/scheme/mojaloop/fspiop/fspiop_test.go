package fspiop

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	want := time.Date(2026, 11, 20, 10, 0, 0, 5e6, time.UTC)
	for _, good := range []string{"2026-11-20T10:00:00.005Z", "2026-11-20T12:00:00.005+02:00", "2026-11-20T05:30:00.005-04:30"} {
		if got, ok := ParseTime(good); !ok || !got.Equal(want) {
			t.Errorf("ParseTime(%q) = %v, %v", good, got, ok)
		}
	}
	for _, bad := range []string{
		"", "2026-11-20T10:00:00Z", "2026-11-20T10:00:00.5Z", "2026-11-20T10:00:00.0000Z", "2026-11-20T10:00:00,000Z",
		"2026-11-20 10:00:00.000Z", "2026-11-20T10:00:00.000", "2026-02-30T10:00:00.000Z", "2026-11-20T24:00:00.000Z",
		"2026-11-20T10:00:00.000z", "2026-11-20T10:00:00.000+0200", "２026-11-20T10:00:00.000Z",
	} {
		if got, ok := ParseTime(bad); ok {
			t.Errorf("ParseTime(%q) = %v", bad, got)
		}
	}
	if got := FormatTime(want.In(time.FixedZone("", 3600))); got != "2026-11-20T10:00:00.005Z" {
		t.Errorf("FormatTime writes %s", got)
	}
}

func TestValidID(t *testing.T) {
	for s, want := range map[string]bool{
		"b51ec534-ee48-4575-b6a9-ead2955b8069": true,
		"b51ec534-ee48-1575-86a9-ead2955b8069": true,
		"B51EC534-EE48-4575-B6A9-EAD2955B8069": false,
		"b51ec534-ee48-7575-b6a9-ead2955b8069": false,
		"b51ec534-ee48-4575-c6a9-ead2955b8069": false,
		"b51ec534xee48-4575-b6a9-ead2955b8069": false,
		"b51ec534-ee48-4575-b6a9-ead2955b806-": false,
		"b51ec534-ee48-4575-b6a9-ead2955b806":  false,
		"":                                     false,
	} {
		if ValidID(s) != want {
			t.Errorf("ValidID(%q) = %v", s, !want)
		}
	}
}

func TestParty(t *testing.T) {
	p := PartyIDInfo{Type: "MSISDN", ID: "+27/71", SubID: "a b"}
	if p.Path() != "/parties/MSISDN/+27%2F71/a%20b" {
		t.Errorf("path %s", p.Path())
	}
	if !p.Same(PartyIDInfo{Type: "MSISDN", ID: "27/71", SubID: "a b", FSP: "x"}) || p.Same(PartyIDInfo{Type: "MSISDN", ID: "27/71"}) ||
		(PartyIDInfo{Type: "ALIAS", ID: "+1"}).Same(PartyIDInfo{Type: "ALIAS", ID: "1"}) {
		t.Error("parties are mixed up")
	}
	for _, bad := range []PartyIDInfo{{}, {Type: "PHONE", ID: "1"}, {Type: "MSISDN"}, {Type: "MSISDN EMAIL", ID: "1"}, {Type: "MSISDN", ID: strings.Repeat("1", 129)}} {
		if bad.Valid() {
			t.Errorf("%+v is valid", bad)
		}
	}
}

func TestSpeaks(t *testing.T) {
	for contentType, want := range map[string]bool{
		"application/vnd.interoperability.quotes+json;version=1.1":                 true,
		"application/vnd.interoperability.quotes+json; version=1.0; charset=utf-8": true,
		"application/vnd.interoperability.quotes+json;version=1":                   true,
		"application/vnd.interoperability.quotes+json;version=2.0":                 false,
		"application/vnd.interoperability.quotes+json;version=10":                  false,
		"application/vnd.interoperability.quotes+json":                             false,
		"application/vnd.interoperability.transfers+json;version=1.1":              false,
		"application/vnd.interoperability.iso20022.quotes+json;version=2.0":        false,
		"application/json": false,
		"":                 false,
	} {
		if Speaks(contentType, "quotes") != want {
			t.Errorf("Speaks(%q) = %v", contentType, !want)
		}
	}
}

func TestParseFailure(t *testing.T) {
	for body, want := range map[string]string{
		`{"errorInformation":{"errorCode":"3204","errorDescription":"x","extensionList":{"extension":[]}}}`: "3204",
		`{"errorInformation":{"errorCode":"3204","extensionList":[]}}`:                                      "3204",
		`{"errorInformation":{"errorCode":3204}}`:                                                           "",
		`{"errorInformation":{"errorCode":"0204"}}`:                                                         "",
		`{"errorInformation":{"errorCode":"32045"}}`:                                                        "",
		`{"errorCode":"3204"}`:                                                                              "",
		`[]`:                                                                                                "",
		``:                                                                                                  "",
	} {
		if f, ok := ParseFailure([]byte(body)); f.Code != want || ok != (want != "") {
			t.Errorf("%s: %+v %v", body, f, ok)
		}
	}
	f, _ := ParseFailure([]byte(`{"errorInformation":{"errorCode":"3204","errorDescription":"` + strings.Repeat("é", 200) + `"}}`))
	if f.Description != strings.Repeat("é", 128) {
		t.Errorf("description of %d bytes", len(f.Description))
	}
}

// TestOfTransfer is the table on which holds are released: Refused frees money.
func TestOfTransfer(t *testing.T) {
	for code, want := range map[string]Verdict{
		"1000": Doubtful, "1001": Doubtful, "2001": Doubtful, "2003": Doubtful, "2004": Doubtful,
		"3000": Doubtful, "3100": Doubtful, "3106": Doubtful, "3203": Doubtful, "3205": Doubtful, "3208": Unknown, "3299": Doubtful,
		"3302": Refused, "3303": Refused, "4001": Refused, "4400": Refused, "5000": Refused, "5105": Refused, "5999": Refused,
		"6000": Doubtful, "": Doubtful, "51050": Doubtful, "5": Doubtful,
	} {
		if got := (Failure{Code: code}).OfTransfer(); got != want {
			t.Errorf("%q: %v, want %v", code, got, want)
		}
	}
}

func TestAtOnce(t *testing.T) {
	for code, want := range map[string]bool{
		"3000": true, "3001": true, "3100": true, "3101": true, "3102": true, "3106": false, "3199": true,
		"2001": false, "3200": false, "3208": false, "3303": false, "5105": false, "": false,
	} {
		if (Failure{Code: code}).AtOnce() != want {
			t.Errorf("%q: %v", code, !want)
		}
	}
}

var timestamp = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}(Z|[+-][0-9]{2}:[0-9]{2})$`)

func FuzzParseTime(f *testing.F) {
	f.Add("2026-11-20T10:00:00.000Z")
	f.Add("2026-11-20T10:00:00.000+01:00")
	f.Add("0000-01-10T00:00:00.+00Z") // which time.Parse accepts
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseTime(s)
		if !ok {
			return
		}
		if !timestamp.MatchString(s) {
			t.Fatalf("%q is taken", s)
		}
		if y := got.UTC().Year(); y < 1 || y > 9999 {
			return // a zone carries it out of what four digits can say
		}
		if again, ok := ParseTime(FormatTime(got)); !ok || !again.Equal(got) {
			t.Fatalf("%q changes on the way", s)
		}
	})
}

func FuzzParseFailure(f *testing.F) {
	f.Add([]byte(`{"errorInformation":{"errorCode":"3204","errorDescription":"x"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if got, ok := ParseFailure(body); ok {
			if again, ok := ParseFailure(got.JSON()); !ok || again != got {
				t.Fatalf("%+v changes to %+v", got, again)
			}
		}
	})
}
