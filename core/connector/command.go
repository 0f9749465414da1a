package connector

import (
	"encoding/json"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Command is the log command that an effect stands for when a connector asks for
// it on behalf of a tenant: the origin names the job it comes from and is nil for
// a request from outside. It returns the failure to give back instead when what
// the connector wrote is not sound, and neither for an effect that is no command.
func Command(effect *sdkv1.Effect, tenant, connector string, origin *enginev1.Origin) (*enginev1.Command, *sdkv1.Answer) {
	switch k := effect.Kind.(type) {
	case *sdkv1.Effect_StartPayment:
		vars, err := CheckVariables(k.StartPayment.GetVariables())
		if err != nil {
			return nil, Failure(abi.FailureInvalid, err.Error())
		}
		return &enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
			Tenant: tenant, Flow: k.StartPayment.GetFlow(), Channel: connector,
			ClientKey: k.StartPayment.GetClientKey(), RequestDigest: k.StartPayment.GetRequestDigest(),
			Variables: vars, UuidVariable: k.StartPayment.GetUuidVariable(), Origin: origin,
		}}}, nil
	case *sdkv1.Effect_Publish:
		vars, err := CheckVariables(k.Publish.GetVariables())
		if err != nil {
			return nil, Failure(abi.FailureInvalid, err.Error())
		}
		return &enginev1.Command{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{
			Tenant: tenant, Name: k.Publish.GetName(), Key: k.Publish.GetKey(),
			MessageId: k.Publish.GetMessageId(), TtlMs: k.Publish.GetTtlMs(), Variables: vars, Origin: origin,
		}}}, nil
	case *sdkv1.Effect_Sequence:
		return &enginev1.Command{Verb: &enginev1.Command_Sequence{Sequence: &enginev1.Sequence{
			Tenant: tenant, Name: k.Sequence.GetName(), Origin: origin,
		}}}, nil
	case *sdkv1.Effect_Emit:
		if !json.Valid(k.Emit.GetJson()) {
			return nil, Failure(abi.FailureInvalid, "what is emitted is not one JSON value")
		}
		return &enginev1.Command{Verb: &enginev1.Command_Emit{Emit: &enginev1.Emit{
			Tenant: tenant, Name: k.Emit.GetName(), Json: k.Emit.GetJson(), Origin: origin,
		}}}, nil
	case *sdkv1.Effect_Forward:
		return forwardCommand(k.Forward, tenant, connector, origin), nil
	}
	return nil, nil
}
