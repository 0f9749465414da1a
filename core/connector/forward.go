package connector

import (
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// forwardCommand is the command of a Forward. Only a job may forward: its history
// keeps it from doing so twice.
func forwardCommand(f *sdkv1.Forward, tenant, connector string, origin *enginev1.Origin) *enginev1.Command {
	if origin == nil {
		return nil
	}
	return &enginev1.Command{Verb: &enginev1.Command_Forward{Forward: &enginev1.Forward{
		Tenant: tenant, Connector: connector, Link: f.GetLink(), Key: f.GetKey(), Data: f.GetData(),
		UntilMs: f.GetUntilMs(), Origin: origin,
	}}}
}
