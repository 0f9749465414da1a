package parity

import (
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/sdk/conformance"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// goldenFile is where it lies for the tests of an SDK, whose folders are sdk/*.
const goldenFile = "../v1/testdata/golden.txt"

// golden holds the echo to the bytes that were written down once: it asks for each
// effect of the file to the byte, and reads each trigger and the request.
func golden(step func([]byte) ([]byte, error)) error {
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		return err
	}
	replies := map[string]string{
		"trigger-http": "reply 404", "trigger-frame": "frames", "trigger-frame-key": "match-key",
		"trigger-schedule": "fail UNKNOWN_SCHEDULE this connector does not serve schedule cut-off",
	}
	for line := range strings.Lines(string(text)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		encoded, err := hex.DecodeString(digits)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		switch kind := strings.TrimSuffix(name, "-variables"); {
		case slices.Contains(kinds, kind):
			err = goldenEffect(step, encoded)
		case replies[name] != "":
			err = goldenTrigger(step, encoded, replies[name])
			delete(replies, name)
		case name == "step-request": // nobody serves the job, so its history is left over
			var reply *sdkv1.StepReply
			if reply, err = decoded(step(encoded)); err == nil && (reply.Mismatch.GetOrdinal() != 2 || reply.Mismatch.GetWant() != 2<<60) {
				err = fmt.Errorf("got %s", conformance.Render(reply))
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(replies) > 0 {
		return fmt.Errorf("%s lacks triggers", goldenFile)
	}
	return nil
}

func goldenEffect(step func([]byte) ([]byte, error), encoded []byte) error {
	effect := new(sdkv1.Effect)
	if err := effect.UnmarshalVT(encoded); err != nil {
		return err
	}
	request := &sdkv1.StepRequest{Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{
		Type: "echo", Variables: []*sdkv1.Variable{{Name: "ask", Json: asked(effect)}},
	}}}}
	if effect.Ordinal > 1 { // the one after a checkpoint
		request.State = []byte{0}
		request.History = []*sdkv1.Entry{{Ordinal: effect.Ordinal - 1, Answer: &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}}}}
	}
	reply, err := decoded(step(must(request.MarshalVTStrict())))
	if err != nil {
		return err
	}
	if len(reply.Effects) != 1 || string(must(reply.Effects[0].MarshalVTStrict())) != string(encoded) {
		return fmt.Errorf("got %s, want %s", conformance.Render(reply), conformance.Render(&sdkv1.StepReply{Effects: []*sdkv1.Effect{effect}}))
	}
	return nil
}

func goldenTrigger(step func([]byte) ([]byte, error), encoded []byte, want string) error {
	trigger := new(sdkv1.Trigger)
	if err := trigger.UnmarshalVT(encoded); err != nil {
		return err
	}
	reply, err := decoded(step(must((&sdkv1.StepRequest{Trigger: trigger}).MarshalVTStrict())))
	if got := strings.TrimSpace(conformance.Render(reply)); err == nil && got != want {
		err = fmt.Errorf("got %s, want %s", got, want)
	}
	return err
}
