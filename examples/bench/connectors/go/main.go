// Command go is the Go guest of the benchmark of guests.
package main

import (
	"github.com/railhead-hub/railhead/examples/bench/connectors/go/handler"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

func init() { connector.Serve(handler.Connector) }

func main() {}
