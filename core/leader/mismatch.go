package leader

import (
	"github.com/railhead-hub/railhead/core/connector"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// mismatch ends an attempt whose connector asks for something else than it did. Its
// next attempt begins anew, told of what is in doubt.
func (a *attempt) mismatch(m *sdkv1.Mismatch) *failure {
	m.Recorded = a.recorded(m)
	text := a.veil.Text(connector.Mismatch(m.Ordinal, m.Recorded, m.Effect))
	a.logger().Error("the connector is not deterministic", "ordinal", m.Ordinal, "text", text)
	return &failure{codeMismatch, text, true}
}

// recorded is what the connector asked for before, if it is still to be had: it was
// this leader that performed it, or it is intended and waits for its answer.
func (a *attempt) recorded(m *sdkv1.Mismatch) *sdkv1.Effect {
	for _, e := range a.asked {
		// The effect that is compared just now may be among them.
		if e.Ordinal == m.Ordinal && e != m.Effect {
			return e
		}
	}
	for _, e := range a.job.History {
		if e.Ordinal != m.Ordinal || e.Request == nil {
			continue
		}
		if stored := new(sdkv1.Effect); stored.UnmarshalVT(e.Request) == nil {
			return stored
		}
	}
	return nil
}
