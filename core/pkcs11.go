package core

import (
	"fmt"

	"github.com/railhead-hub/railhead/core/keys"
)

// openPKCS11 loads the library that the node's configuration names. A node that is
// told of one and does not get it does not start: its connectors' keys are there.
func openPKCS11(path string) (*keys.Library, error) {
	if path == "" {
		return nil, nil
	}
	library, err := keys.OpenLibrary(path)
	if err != nil {
		return nil, fmt.Errorf("pkcs11_module: %w", err)
	}
	return library, nil
}
