package typescript_test

import (
	"testing"

	"github.com/railhead-hub/railhead/sdk/parity"
)

// The engine and the script of the SDK behave as the other SDKs.
func TestParity(t *testing.T) {
	module(t, "echo")
	parity.Test(t, parity.SDK{Echo: "testdata/echo", Bits: 53, HidesDuplicates: true, OwnRandom: true})
}
