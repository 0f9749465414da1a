package keys

import (
	"errors"
	"fmt"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Failure is why an effect was not performed, by one of the codes of sdk/abi:
//
//	NOT_FOUND    the manifest does not name the key, or the tenant has not bound it
//	FORBIDDEN    the binding is not for this algorithm or use
//	INVALID      what is to be signed, encrypted or looked up is malformed
//	TOO_LARGE    it is over DataMax
//	UNAVAILABLE  the file cannot be read, or the token is away; later may do
//	UNSUPPORTED  this build, or the token, cannot do it
type Failure struct {
	Code, Text string
}

func (f *Failure) Error() string { return f.Text }

func failf(code, format string, args ...any) *Failure {
	return &Failure{code, fmt.Sprintf(format, args...)}
}

// AsFailure is any error as one; what has no code is a key that cannot be used now.
func AsFailure(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{abi.FailureUnavailable, err.Error()}
}

func (f *Failure) answer() *sdkv1.Answer {
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Failure{Failure: &sdkv1.Failure{Code: f.Code, Text: f.Text}}}
}
