package main

import (
	"testing"

	"github.com/railhead-hub/railhead/sdk/conformance"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// TestVectors runs testdata/*.txt on the Go code and on the compiled module, and
// holds both to the rules and to the suite of core banking systems.
func TestVectors(t *testing.T) { conformance.Test(t, connector.Step, ".") }
