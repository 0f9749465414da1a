package audit_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/railhead-hub/railhead/opsd/audit"
)

func chain(n int) []audit.Entry {
	var head audit.Head
	entries := make([]audit.Entry, n)
	for i := range entries {
		e := &entries[i]
		*e = audit.Entry{TimeMS: int64(1000 + i), Actor: "ada", Reason: "r", Method: "flow_deployed", Target: fmt.Sprint("flow-", i), Result: "ok"}
		head = head.Append(e)
	}
	return entries
}

// The hash of a known entry is pinned: whoever changes the canonical form breaks
// every chain that exists.
func TestSumIsPinned(t *testing.T) {
	e := audit.Entry{
		Seq: 1, TimeMS: 1700000000000, Actor: "ada", Reason: "go live", Method: "flow_deployed",
		Target: "payer-fund-transfer-greenbank", Tenant: "greenbank", Result: "ok", EventID: "1-1-7-0",
	}
	const want = "d2842d5ae73934619ea365f3a14ba33388c59e4ce9d7889b3f76a48bdbd26a12"
	if got := e.Sum().String(); got != want {
		t.Errorf("Sum = %s, want %s", got, want)
	}
}

func TestVerifierFindsEveryManipulation(t *testing.T) {
	cases := []struct {
		name  string
		spoil func([]audit.Entry) []audit.Entry
		seq   uint64 // of the fault; 0: none
	}{
		{"untouched", func(c []audit.Entry) []audit.Entry { return c }, 0},
		{"changed", func(c []audit.Entry) []audit.Entry { c[2].Actor = "eve"; return c }, 3},
		{"changed and hashed again", func(c []audit.Entry) []audit.Entry {
			c[2].Actor = "eve"
			c[2].Hash = c[2].Sum()
			return c
		}, 4},
		{"removed", func(c []audit.Entry) []audit.Entry { return slices.Delete(c, 2, 3) }, 3},
		{"first removed", func(c []audit.Entry) []audit.Entry { return c[1:] }, 1},
		{"swapped", func(c []audit.Entry) []audit.Entry { c[2], c[3] = c[3], c[2]; return c }, 3},
		{"doubled", func(c []audit.Entry) []audit.Entry { return slices.Insert(c, 2, c[1]) }, 2},
		{"text moved between fields", func(c []audit.Entry) []audit.Entry {
			c[2].Actor, c[2].Reason = "adar", ""
			return c
		}, 3},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			var v audit.Verifier
			var err error
			for _, e := range tc.spoil(chain(5)) {
				if err = v.Check(&e); err != nil {
					break
				}
			}
			var fault *audit.Fault
			switch {
			case tc.seq == 0 && err != nil:
				t.Errorf("a sound chain is refused: %v", err)
			case tc.seq != 0 && !errors.As(err, &fault):
				t.Errorf("err = %v, want a fault", err)
			case tc.seq != 0 && fault.Seq != tc.seq:
				t.Errorf("fault at %d, want %d: %v", fault.Seq, tc.seq, err)
			}
		})
	}
}

func TestTruncatedTailIsFoundByAKeptHead(t *testing.T) {
	entries := chain(5)
	kept := entries[4].Hash
	verify := func(entries []audit.Entry) error {
		var v audit.Verifier
		v.Expect(kept)
		for i := range entries {
			if err := v.Check(&entries[i]); err != nil {
				return err
			}
		}
		_, _, err := v.Finish()
		return err
	}
	if err := verify(entries); err != nil {
		t.Errorf("the whole chain: %v", err)
	}
	if err := verify(entries[:4]); err == nil {
		t.Error("a truncated chain passes although its head was kept")
	}
}

func TestVerifierBeginsBehindATrustedHead(t *testing.T) {
	entries := chain(5)
	var v audit.Verifier
	v.After(audit.Head{Seq: 2, Hash: entries[1].Hash})
	for i := range entries[2:] {
		if err := v.Check(&entries[2+i]); err != nil {
			t.Fatal(err)
		}
	}
	head, checked, err := v.Finish()
	if err != nil || checked != 3 || head.Hash != entries[4].Hash {
		t.Errorf("head %v, checked %d, err %v", head, checked, err)
	}
}
