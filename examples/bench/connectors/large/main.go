// Command large is a connector of six megabytes, as one becomes that takes much of
// Go's standard library along. It is for measuring admission.
package main

import (
	"encoding/xml"
	"html/template"
	"io"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

func init() {
	connector.Serve(connector.Connector{
		Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{"work": work},
	})
}

func main() {}

// work calls something of each package, so that the linker keeps it.
func work(_ *connector.Context, job *connector.Job) connector.Outcome {
	text := job.String("text")
	page, err := template.New("page").Parse(text)
	if err == nil {
		err = page.Execute(io.Discard, job)
	}
	var document struct{ Text string }
	return connector.Complete(connector.Vars{
		"template": err == nil, "xml": xml.Unmarshal([]byte(text), &document) == nil,
	})
}
