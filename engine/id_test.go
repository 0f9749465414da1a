package engine_test

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"pgregory.net/rapid"
)

// fspiopUUID is the pattern of UUIDs in FSPIOP 1.1.
var fspiopUUID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestUUID(t *testing.T) {
	meta := &enginev1.Meta{Secret: bytes.Repeat([]byte{3}, 32)}
	other := &enginev1.Meta{Secret: bytes.Repeat([]byte{4}, 32)}
	seen := make(map[string]engine.UUID)
	rapid.Check(t, func(r *rapid.T) {
		payment := uint64(1)<<53 | rapid.Uint64Range(0, 1<<53-1).Draw(r, "payment")
		index, number := rapid.Uint32Range(0, 1<<24-1).Draw(r, "index"), rapid.Uint32().Draw(r, "number")
		for _, want := range []engine.UUID{
			{Payment: payment, Kind: engine.UUIDPayment},
			{Payment: payment, Kind: engine.UUIDEffect, Index: index, Number: number},
		} {
			s := engine.PaymentUUID(meta, payment)
			if want.Kind == engine.UUIDEffect {
				s = engine.EffectUUID(meta, payment, index, number)
			}
			if !fspiopUUID.MatchString(s) {
				r.Fatalf("%s is no UUID that FSPIOP takes", s)
			}
			if got, ours := engine.ParseUUID(meta, s); !ours || got != want {
				r.Fatalf("%s came back as %+v, want %+v", s, got, want)
			}
			if before, twice := seen[s]; twice && before != want {
				r.Fatalf("%s names two things: %+v and %+v", s, before, want)
			}
			seen[s] = want
			if got, ours := engine.ParseUUID(other, s); ours && got == want {
				r.Fatalf("another cluster's secret reads %s", s)
			}
		}
	})
	for _, s := range []string{"", "x", "b51ec534-ee48-4575-b6a9-ead2955b8069"[:35], "b51ec534_ee48-4575-b6a9-ead2955b8069", "zzzzzzzz-ee48-4575-b6a9-ead2955b8069"} {
		if _, ours := engine.ParseUUID(meta, s); ours {
			t.Errorf("%q counts as ours", s)
		}
	}
}

// TestUUIDPinned holds the permutation still: a changed one would orphan every
// callback that is under way during an upgrade.
func TestUUIDPinned(t *testing.T) {
	meta := &enginev1.Meta{Secret: bytes.Repeat([]byte{3}, 32)}
	if got, want := engine.PaymentUUID(meta, 1<<53|1<<43|1), "1f093f4e-92e7-4a10-a3a9-fe7af1db225a"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseKeyRefusesNoise(t *testing.T) {
	for _, b := range [][]byte{nil, {1}, bytes.Repeat([]byte{0}, 19), append([]byte{1, 0, 7}, bytes.Repeat([]byte{0}, 18)...)} {
		if k, err := engine.ParseKey(b); err == nil {
			t.Errorf("%x parses as %v", b, k)
		}
	}
}

// TestCodecPinned holds the bytes of log, checkpoint and Kafka still: fields
// ascending, defaults omitted.
func TestCodecPinned(t *testing.T) {
	cmd := &enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: &enginev1.FinishJob{
		Origin:      &enginev1.Origin{Payment: 1 << 53, Job: 3, Attempt: 1, Epoch: 2, Ordinal: 1, Digest: 5},
		Outcome:     &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{Variables: []*enginev1.Variable{{Name: "a", Json: []byte("1")}}}},
		Settlements: []*enginev1.Settlement{{Key: "hold", State: enginev1.EffectState_EFFECT_STATE_DONE}},
	}}}
	got, err := cmd.MarshalVTStrict()
	if err != nil {
		t.Fatal(err)
	}
	want := []byte("Z0\n\x1a\b\x80\x80\x80\x80\x80\x80\x80\x10\x10\x03\x18\x01 \x02(\x011\x05\x00\x00\x00\x00\x00\x00\x00" +
		"\x12\b\n\x06\n\x01a\x12\x011:\b\n\x04hold\x10\x02")
	if !bytes.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// BenchmarkMint compares a kept Minter with one made for each UUID.
func BenchmarkMint(b *testing.B) {
	meta := &enginev1.Meta{Secret: make([]byte, 32)}
	b.Run("kept", func(b *testing.B) {
		minter := engine.NewMinter(meta)
		b.ReportAllocs()
		for n := uint64(0); b.Loop(); n++ {
			minter.Payment(n)
		}
	})
	b.Run("made", func(b *testing.B) {
		b.ReportAllocs()
		for n := uint64(0); b.Loop(); n++ {
			engine.PaymentUUID(meta, n)
		}
	})
}
