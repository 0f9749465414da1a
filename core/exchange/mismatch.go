package exchange

import (
	"github.com/railhead-hub/railhead/core/connector"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// mismatch says what the connector asks for now and what it asked for before.
func (e *exchange) mismatch(m *sdkv1.Mismatch) error {
	for _, asked := range e.asked {
		if asked.Ordinal == m.Ordinal {
			m.Recorded = asked
		}
	}
	return faulty("%s", e.veil.Text(connector.Mismatch(m.Ordinal, m.Recorded, m.Effect)))
}
