package host

import (
	"errors"
	"fmt"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// checkRequest refuses what no instance should be troubled with. It returns the
// size of the encoded request.
func (m *Module) checkRequest(request *sdkv1.StepRequest) (size int, err error) {
	size = request.SizeVT()
	if err := m.checkSize(size); err != nil {
		return 0, err
	}
	if n := len(request.History); n > abi.StepsMax {
		return 0, m.failure(BadRequest, fmt.Sprintf("%d answers without a checkpoint are more than %d", n, abi.StepsMax), nil)
	}
	return size, nil
}

func (m *Module) checkSize(size int) error {
	if size > abi.RequestMaxBytes {
		return m.failure(BadRequest, fmt.Sprintf("%d bytes are more than %d", size, abi.RequestMaxBytes), nil)
	}
	return nil
}

// CheckReply says how a reply breaks the contract, if it does: it must be one
// of effects, outcome, mismatch and error; effects are numbered on from the
// history; the outcome fits the trigger.
func CheckReply(request *sdkv1.StepRequest, reply *sdkv1.StepReply) error {
	kinds := 0
	for _, set := range [...]bool{len(reply.Effects) > 0, reply.Outcome != nil, reply.Mismatch != nil, reply.Error != ""} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds == 0:
		return errors.New("the reply is empty")
	case kinds > 1:
		return errors.New("the reply holds two answers")
	case len(reply.Effects) > abi.EffectsMax:
		return fmt.Errorf("%d effects at once are more than %d", len(reply.Effects), abi.EffectsMax)
	}
	next := uint32(1)
	if n := len(request.History); n > 0 {
		next = request.History[n-1].GetOrdinal() + 1
	}
	for _, e := range reply.Effects {
		if e.GetOrdinal() != next {
			return fmt.Errorf("an effect is numbered %d where %d is next", e.GetOrdinal(), next)
		}
		if e.GetKind() == nil {
			return fmt.Errorf("effect %d is empty, or of a kind this host does not know", next)
		}
		if n := len(e.GetCheckpoint().GetState()); n > abi.StateMaxBytes {
			return fmt.Errorf("a checkpoint of %d bytes is more than %d", n, abi.StateMaxBytes)
		}
		next++
	}
	if reply.Outcome != nil && !fits(request.GetTrigger(), reply.Outcome) {
		return errors.New("the outcome does not fit the trigger")
	}
	return nil
}

// fits: a job ends with Complete, Fail, BpmnError or Doubt, a request with a
// Reply, a frame with Frames, a frame key with MatchKey.
func fits(trigger *sdkv1.Trigger, outcome *sdkv1.Outcome) bool {
	switch kind := outcome.Kind.(type) {
	case *sdkv1.Outcome_Complete, *sdkv1.Outcome_Fail, *sdkv1.Outcome_BpmnError, *sdkv1.Outcome_Doubt:
		// Of what it was not built for, a connector can say that it fails.
		_, failed := kind.(*sdkv1.Outcome_Fail)
		return failed || trigger.GetJob() != nil || trigger.GetSchedule() != nil
	case *sdkv1.Outcome_Reply:
		return trigger.GetHttp() != nil && kind.Reply.GetStatus() >= 100 && kind.Reply.GetStatus() <= 599
	case *sdkv1.Outcome_Frames:
		return trigger.GetFrame() != nil
	case *sdkv1.Outcome_MatchKey:
		return trigger.GetFrameKey() != nil
	}
	return false
}
