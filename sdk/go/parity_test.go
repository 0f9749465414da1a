package connector_test

import (
	"testing"

	"github.com/railhead-hub/railhead/sdk/parity"
)

// The module that the SDK makes behaves as those of the other SDKs.
func TestParity(t *testing.T) {
	parity.Test(t, parity.SDK{Echo: "testdata/echo", Bits: 64, HidesDuplicates: true})
}
