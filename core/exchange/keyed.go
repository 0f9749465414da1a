package exchange

import (
	"context"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// keyed performs an effect that needs keys; nil says that it is another. What became
// a token, or came of one, must not go into the log by a command of the same exchange:
// that is refused.
func (e *exchange) keyed(ctx context.Context, effect *sdkv1.Effect) *sdkv1.Answer {
	if answer := e.Binding.Keys.Do(ctx, effect); answer != nil {
		text := answer.GetText().GetText()
		switch k := effect.Kind.(type) {
		case *sdkv1.Effect_Tokenize:
			e.veil.Learn(k.Tokenize.GetValue(), text)
		case *sdkv1.Effect_Detokenize:
			e.veil.Learn(text, k.Detokenize.GetToken())
		}
		return answer
	}
	if e.veil.Knows() {
		encoded, err := effect.MarshalVTStrict()
		if err != nil || e.veil.Hides(encoded) {
			return connector.Failure(abi.FailureForbidden, "it holds a value that a token stands for; give the token")
		}
	}
	return nil
}
