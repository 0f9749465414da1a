// Command typical is the connector of the sandbox's benchmark.
package main

import (
	connector "github.com/railhead-hub/railhead/sdk/go"
	"github.com/railhead-hub/railhead/sdk/host/testdata/typical/handler"
)

func init() { connector.Serve(handler.Connector) }

func main() {}
