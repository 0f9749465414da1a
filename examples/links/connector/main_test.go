package main

import (
	"testing"

	"github.com/railhead-hub/railhead/sdk/conformance"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

func TestConnector(t *testing.T) { conformance.Test(t, connector.Step, ".") }
