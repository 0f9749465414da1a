package engine_test

import (
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
)

func TestScripts(t *testing.T) { enginetest.RunScripts(t, "testdata") }

func TestMemTx(t *testing.T) {
	enginetest.TestTx(t, func(*testing.T) engine.Tx { return enginetest.NewMemTx() })
}

func TestKeys(t *testing.T) { enginetest.TestKeys(t) }
