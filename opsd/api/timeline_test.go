package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/store"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew; commit only differences you understand")

// The golden file is what an operator sees of a payment that carries personal
// data everywhere, with two events missing.
func TestTimelineIsMasked(t *testing.T) {
	const began = 1_700_000_000_000
	events := []*enginev1.Event{
		{Seq: 1, Kind: enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED, Uuid: "11111111-2222-4333-8444-555555555555",
			Type: "payer-fund-transfer-greenbank", Number: 2, Key: "corr-1", Name: "paymenthub", Element: "start",
			Variables: []*enginev1.Variable{
				{Name: "amount", Json: []byte(`"12.50"`)},
				{Name: "channelRequest", Json: []byte(`"{\"payer\":{\"partyIdInfo\":{\"partyIdType\":\"MSISDN\",\"partyIdentifier\":\"27710101999\"},\"name\":\"Ada\"},\"note\":\"rent\"}"`)},
				{Name: "partyId", Json: []byte(`"27710102999"`)},
				{Name: "transactionId", Json: []byte(`"11111111-2222-4333-8444-555555555555"`)},
				{Name: "broken", Json: []byte(`{"iban":"DE8937`)},
			}},
		{Seq: 2, Kind: enginev1.EventKind_EVENT_KIND_JOB_CREATED, Element: "block-funds", Job: 4, Attempt: 1, Type: "block-funds", Token: 3},
		{Seq: 3, Kind: enginev1.EventKind_EVENT_KIND_EFFECT_INTENDED, Job: 4, Attempt: 1, Ordinal: 1, Key: "hold", Number: 1, Endpoint: "ledger",
			Mode: enginev1.Mode_MODE_KEYED, Uuid: "99999999-2222-4333-8444-555555555555", Effect: enginev1.EffectState_EFFECT_STATE_OPEN,
			Request: join(number(1, 1), field(2, join(text(1, "ledger"), text(2, "POST"), text(3, "/accounts/ACC-0001/holds?msisdn=27710101999"),
				header(4, "authorization", "Bearer {{secret:bank_token}}"), header(4, "content-type", "application/json"), header(4, "x-trace", "to 27710101999"),
				text(5, `{"account":"ACC-0001","amount":"12.50","currency":"USD","holder":{"fullName":"Ada Lovelace"},"memo":"pay 4111111111111111"}`),
				text(6, "hold"), field(7, join(text(1, "12.50"), text(2, "USD"), text(3, "27710101999"), text(4, "DE89370400440532013000")))))),
		},
		{Seq: 4, Kind: enginev1.EventKind_EVENT_KIND_EFFECT_ANSWERED, Job: 4, Attempt: 1, Ordinal: 1, Key: "hold", Number: 1, Endpoint: "ledger",
			Effect: enginev1.EffectState_EFFECT_STATE_DONE, TimeMs: 140,
			Answer: field(1, join(number(1, 201), header(2, "set-cookie", "session=1"), text(3, `{"hold":"h-1","accountName":"Ada Lovelace"}`)))},
		{Seq: 7, Kind: enginev1.EventKind_EVENT_KIND_EFFECT_IN_DOUBT, Job: 5, Attempt: 1, Ordinal: 1, Key: "transfer",
			Answer: field(5, join(text(1, "99999999-2222-4333-8444-555555555556"), text(2, "no answer from 27710102999 in time")))},
		{Seq: 8, Kind: enginev1.EventKind_EVENT_KIND_EMITTED, Name: "statement", Variables: []*enginev1.Variable{{Name: "data", Json: []byte(`{"iban":"DE89370400440532013000","line":1}`)}}},
		{Seq: 9, Kind: enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED, Number: 1, Code: "job-failed", Text: "The bank says: account of the customer at +27 71 010 1999 is closed"},
		{Seq: 10, Kind: enginev1.EventKind_EVENT_KIND_INCIDENT_RESOLVED, Number: 1, Actor: &enginev1.Actor{Name: "ops@greenbank", Reason: "called +27710101999"}},
		{Seq: 11, Kind: enginev1.EventKind_EVENT_KIND_TIMER_SET, DueMs: began + 60_000},
		{Seq: 12, Kind: enginev1.EventKind(999)},
		// Frames are not shown, whatever else their bytes could be read as.
		{Seq: 13, Kind: enginev1.EventKind_EVENT_KIND_FORWARD_QUEUED, Type: "cards", Endpoint: "network", Key: "1420 000777", Value: 1,
			Request: field(2, text(3, "/4111111111111111"))},
		{Seq: 14, Kind: enginev1.EventKind_EVENT_KIND_FORWARD_ACKNOWLEDGED, Type: "cards", Endpoint: "network", Key: "1420 000777", Value: 1,
			Answer: []byte(`{"pan":"4111111111111111"}`)},
	}
	var stored []store.Event
	for i, e := range events {
		e.Cluster, e.Incarnation, e.Index, e.Payment = 1, 1, uint64(10+i), 7
		e.TimeMs += began + int64(i)*10
		stored = append(stored, store.Event{Seq: e.Seq, ID: store.EventID(e), Decoded: e})
	}
	stored = append(stored, store.Event{Seq: 15, ID: store.ID{Cluster: 1, Incarnation: 1, Index: 99}})
	var out bytes.Buffer
	for _, entry := range newMasker(nil).timeline(stored, 0) {
		raw, err := protojson.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		// protojson varies its spaces on purpose.
		var even bytes.Buffer
		if err := json.Indent(&even, raw, "", " "); err != nil {
			t.Fatal(err)
		}
		out.Write(even.Bytes())
		out.WriteByte('\n')
	}
	const golden = "testdata/timeline.golden"
	if *rewrite {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("the timeline differs from %s; -rewrite shows how:\n%s", golden, out.Bytes())
	}
	for _, secret := range []string{"27710101999", "27710102999", "Ada", "Lovelace", "ACC-0001", "DE89", "4111", "session=1", "bank_token", "71 010", "rent"} {
		if bytes.Contains(out.Bytes(), []byte(secret)) {
			t.Errorf("the timeline shows %q", secret)
		}
	}
}
