package connector

import (
	"context"

	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// sandboxed is a WebAssembly module as a Stepper.
type sandboxed struct{ *host.Module }

func (s sandboxed) Manifest() *sdkv1.Manifest { return s.Module.Manifest }

// Sandbox loads WebAssembly modules with the options; it is a Config.Load.
func Sandbox(options host.Options) func(context.Context, []byte) (Stepper, error) {
	return func(ctx context.Context, module []byte) (Stepper, error) {
		m, err := host.Open(ctx, module, options)
		if err != nil {
			return nil, err
		}
		return sandboxed{m}, nil
	}
}
