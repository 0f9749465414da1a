package store

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// started is a start with variables written as name=json, one after another.
func started(vars string) *enginev1.Event {
	e := &enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED, Payment: 1, Seq: 1, Cluster: 1, Incarnation: 1, Index: 1, Uuid: "u", Key: "k"}
	for v := range strings.FieldsSeq(vars) {
		name, json, _ := strings.Cut(v, "=")
		e.Variables = append(e.Variables, &enginev1.Variable{Name: name, Json: []byte(json)})
	}
	return e
}

func TestCorrelations(t *testing.T) {
	got := Correlations(started(`transactionId="u" quoteId="q" partyId="27710101999" batchId=7 payerName="Ada" transferId="`))
	want := []Correlation{{"transactionId", "u", 1}, {"clientKey", "k", 1}, {"quoteId", "q", 1}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	money := &enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_EFFECT_INTENDED, Payment: 1, Key: "book", Uuid: "wire"}
	if got := Correlations(money); !slices.Equal(got, []Correlation{{"idempotencyKey", "wire", 1}}) {
		t.Errorf("%v", got)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{"plain": "plain", "a\x00b": "a\uFFFDb", "a\xffb": "a\uFFFDb", "abcdefgh": "abcdef", "abcdeé": "abcde"} {
		if got := clean(in, 6); got != want && (len(got) > 6 || !utf8.ValidString(got) || strings.ContainsRune(got, 0)) {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := clean("abcdeé", 6); got != "abcde" {
		t.Errorf("a rune was cut: %q", got)
	}
}
