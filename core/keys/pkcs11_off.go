//go:build !cgo

package keys

import "github.com/railhead-hub/railhead/sdk/abi"

// Library is a PKCS#11 library. This build has none: the binding calls C, and the
// program was built without cgo.
type Library struct{}

var errNoPKCS11 = &Failure{abi.FailureUnsupported, "this build has no PKCS#11: it was made without cgo (CGO_ENABLED=0)"}

// OpenLibrary fails in this build.
func OpenLibrary(string) (*Library, error) { return nil, errNoPKCS11 }

// Close does nothing in this build.
func (*Library) Close() {}

func (*Library) key(PKCS11, string, string) (material, error) { return nil, errNoPKCS11 }
